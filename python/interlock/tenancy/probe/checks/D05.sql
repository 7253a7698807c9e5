-- Without FORCE, whatever runs as the owner sees every tenant.
SELECT 'warning' AS severity, c.oid::regclass::text AS object,
       'row-level security is not forced: code that runs as the owner sees every tenant' AS message,
       format('owner %I', pg_get_userbyid(c.relowner)) AS evidence,
       format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', c.oid::regclass) AS fix
FROM tenant_tables c
WHERE c.relrowsecurity AND NOT c.relforcerowsecurity AND c.reachable
