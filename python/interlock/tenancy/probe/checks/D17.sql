-- A VOLATILE function is called for each row, and keeps the index from being used. Other calls per row: per_row.py.
SELECT DISTINCT 'info' AS severity, p.polrelid::regclass::text AS object,
       format('policy %I calls the VOLATILE function %s for each row', p.polname, f.oid::regprocedure) AS message,
       coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) AS evidence,
       format('ALTER FUNCTION %s STABLE', f.oid::regprocedure) AS fix
FROM pg_policy p
JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
JOIN pg_proc f ON f.oid = d.refobjid AND f.provolatile = 'v'
