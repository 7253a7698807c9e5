-- A trigger that runs as its owner writes past the policies.
SELECT CASE WHEN o.rolsuper OR o.rolbypassrls THEN 'warning' ELSE 'info' END AS severity, t.tgrelid::regclass::text AS object,
       'a SECURITY DEFINER trigger acts with its owner''s rights on what a tenant writes' AS message,
       format('%I calls %s as %I', t.tgname, p.oid::regprocedure, o.rolname) AS evidence,
       format('ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure) AS fix
FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid AND p.prosecdef
JOIN pg_roles o ON o.oid = p.proowner
JOIN tenant_tables c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
