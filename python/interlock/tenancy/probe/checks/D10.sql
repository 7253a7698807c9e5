-- A materialized view holds its owner's answer, and cannot have policies.
SELECT DISTINCT 'error' AS severity, v.oid::regclass::text AS object,
       'this materialized view holds rows of a table under row-level security, and can have no policy itself' AS message,
       format('reads %s', t.oid::regclass) AS evidence,
       format('REVOKE ALL ON %s FROM PUBLIC, %I', v.oid::regclass, $1::text) AS fix
FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
     AND d.refobjid <> v.oid
JOIN pg_class t ON t.oid = d.refobjid AND t.relrowsecurity
WHERE v.relkind = 'm' AND has_table_privilege($1, v.oid, 'SELECT')
