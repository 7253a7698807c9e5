-- A LEAKPROOF function may run before the policy has looked at the row.
SELECT 'warning' AS severity, p.oid::regprocedure::text AS object,
       'a LEAKPROOF function sees rows before the policies do' AS message,
       format('owner %I', pg_get_userbyid(p.proowner)) AS evidence,
       format('ALTER FUNCTION %s NOT LEAKPROOF', p.oid::regprocedure) AS fix
FROM pg_proc p
WHERE p.proleakproof AND p.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
