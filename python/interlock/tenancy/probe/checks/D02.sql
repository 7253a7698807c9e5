-- SET ROLE leads to a role that skips row-level security.
SELECT 'error' AS severity, format('role %I', r.rolname) AS object,
       'the runtime role can become a role that skips row-level security' AS message,
       'member of it, directly or through another role' AS evidence,
       coalesce((SELECT string_agg(format('REVOKE %I FROM %I', m.roleid::regrole::text, $1::text), '; ')
                 FROM pg_auth_members m WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = $1)
                   AND pg_has_role(m.roleid, r.oid, 'MEMBER')), '') AS fix
FROM pg_roles r
WHERE r.rolname <> $1 AND (r.rolsuper OR r.rolbypassrls) AND pg_has_role($1, r.oid, 'MEMBER')
  AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)  -- a superuser is a member of every role: D01 says so
