-- Ways out of the session: other servers, files, languages that know no rights.
SELECT 'warning' AS severity, f.oid::regprocedure::text AS object,
       'the runtime role can reach outside this session''s rights' AS message,
       format('extension %I', e.extname) AS evidence,
       format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %I', f.oid::regprocedure, $1::text) AS fix
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_proc'::regclass
JOIN pg_proc f ON f.oid = d.objid
WHERE e.extname IN ('dblink', 'file_fdw', 'adminpack') AND f.proname ~ '^(dblink_connect|dblink|dblink_exec|pg_file_.*)$'
  AND has_function_privilege($1, f.oid, 'EXECUTE')
UNION ALL
SELECT 'warning', format('language %I', lanname), 'the runtime role can write functions in an untrusted language', 'USAGE',
       format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC, %I', lanname, $1::text)
FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c') AND has_language_privilege($1, oid, 'USAGE')
UNION ALL
SELECT 'warning', c.oid::regclass::text, 'the runtime role can read a foreign table, on which no policy holds',
       'SELECT', format('REVOKE ALL ON %s FROM PUBLIC, %I', c.oid::regclass, $1::text)
FROM pg_class c WHERE c.relkind = 'f' AND has_table_privilege($1, c.oid, 'SELECT')
UNION ALL
SELECT CASE WHEN r.rolname LIKE '%server%' THEN 'error' ELSE 'warning' END, format('role %I', r.rolname),
       CASE WHEN r.rolname LIKE '%server%' THEN 'the runtime role can read or write the server''s files, or run programs there'
            ELSE 'the runtime role can see or end the sessions of every role' END,
       'member of it, directly or through another role', format('REVOKE %I FROM %I', r.rolname, $1::text)
FROM pg_roles r
WHERE r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
                    'pg_read_all_stats', 'pg_monitor')
  AND pg_has_role($1, r.oid, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)  -- D01
