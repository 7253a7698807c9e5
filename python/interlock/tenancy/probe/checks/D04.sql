-- A table of tenants' rows without row-level security: it has the tenant column, or refers to a table that has it.
SELECT CASE WHEN tenant THEN 'error' ELSE 'warning' END AS severity, c.oid::regclass::text AS object,
       CASE WHEN tenant THEN 'row-level security is not enabled on this tenant table'
            ELSE 'row-level security is not enabled on this table, whose rows belong to a tenant table''s' END AS message,
       format('%I may %s', $1::text, concat_ws(', ',
           CASE WHEN has_table_privilege($1, c.oid, 'SELECT') THEN 'SELECT' END,
           CASE WHEN has_table_privilege($1, c.oid, 'INSERT') THEN 'INSERT' END,
           CASE WHEN has_table_privilege($1, c.oid, 'UPDATE') THEN 'UPDATE' END,
           CASE WHEN has_table_privilege($1, c.oid, 'DELETE') THEN 'DELETE' END)) AS evidence,
       format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$s FORCE ROW LEVEL SECURITY', c.oid::regclass) AS fix
FROM (
    SELECT oid, true AS tenant FROM tenant_tables
    UNION ALL
    SELECT DISTINCT f.conrelid, false FROM pg_constraint f JOIN tenant_tables t ON t.oid = f.confrelid AND t.relrowsecurity
    WHERE f.contype = 'f' AND f.conrelid NOT IN (SELECT oid FROM tenant_tables)
) owned
JOIN pg_class c ON c.oid = owned.oid
WHERE NOT c.relrowsecurity AND has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
  AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent  -- D18 says so
                  WHERE i.inhrelid = c.oid AND p.relrowsecurity)
