-- A row without a tenant belongs to nobody, and no policy that compares will ever show it.
-- Where a policy speaks of such rows they are meant to be shared, and the probe sees to who writes them.
SELECT CASE WHEN EXISTS (
           SELECT FROM pg_policy p WHERE p.polrelid = c.oid
             AND pg_get_expr(p.polqual, p.polrelid) ~ format('\m%s\M"? IS NULL', $2::text)) THEN 'info' ELSE 'warning' END AS severity, c.oid::regclass::text AS object,
       'the tenant column may be NULL' AS message,
       format('%I %s', $2::text, format_type(a.atttypid, a.atttypmod)) AS evidence,
       format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', c.oid::regclass, $2::text) AS fix
FROM tenant_tables c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = c.tenant_attnum
WHERE c.relrowsecurity AND c.reachable AND NOT a.attnotnull AND NOT c.relispartition
