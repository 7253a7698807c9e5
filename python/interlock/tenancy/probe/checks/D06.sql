-- Policies that do nothing, or a table that shows nothing.
SELECT CASE WHEN c.relrowsecurity THEN 'warning' ELSE 'error' END AS severity, c.oid::regclass::text AS object,
       CASE WHEN c.relrowsecurity THEN 'row-level security is on and no policy applies to the runtime role: it sees no row'
            ELSE 'policies exist, but row-level security is off' END AS message,
       format('%s policies, %s for %I', count(p.oid), count(p.oid) FILTER (WHERE applies.yes), $1::text) AS evidence,
       CASE WHEN NOT c.relrowsecurity THEN format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
            ELSE coalesce((
                SELECT format('CREATE POLICY interlock_tenant ON %s TO %I USING (%I = (SELECT nullif(current_setting(%L, true), '''')::%s))',
                              c.oid::regclass, $1::text, $2::text, $3::text, format_type(a.atttypid, NULL))
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped), '') END AS fix
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_policy p ON p.polrelid = c.oid
LEFT JOIN LATERAL (SELECT p.polroles = '{0}' OR EXISTS (
    SELECT FROM unnest(p.polroles) role WHERE role <> 0 AND pg_has_role($1, role, 'USAGE')) AS yes) applies ON true
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'interlock')
  AND has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
GROUP BY c.oid, c.relrowsecurity
HAVING (c.relrowsecurity AND count(p.oid) FILTER (WHERE applies.yes) = 0) OR (NOT c.relrowsecurity AND count(p.oid) > 0)
