-- A tenant table without row-level security.
SELECT 'error' AS severity, c.oid::regclass::text AS object,
       'row-level security is not enabled on this tenant table' AS message,
       format('%I may %s', $1::text, concat_ws(', ',
           CASE WHEN has_table_privilege($1, c.oid, 'SELECT') THEN 'SELECT' END,
           CASE WHEN has_table_privilege($1, c.oid, 'INSERT') THEN 'INSERT' END,
           CASE WHEN has_table_privilege($1, c.oid, 'UPDATE') THEN 'UPDATE' END,
           CASE WHEN has_table_privilege($1, c.oid, 'DELETE') THEN 'DELETE' END)) AS evidence,
       format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$s FORCE ROW LEVEL SECURITY', c.oid::regclass) AS fix
FROM tenant_tables c
WHERE NOT c.relrowsecurity AND c.reachable
  AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent  -- D18 says so
                  WHERE i.inhrelid = c.oid AND p.relrowsecurity)
