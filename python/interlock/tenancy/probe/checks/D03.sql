-- An owner may disable row-level security, or is not bound by it at all.
SELECT 'error' AS severity, c.oid::regclass::text AS object,
       'the runtime role owns this tenant table, or is a member of its owner' AS message,
       format('owner %I', pg_get_userbyid(c.relowner)) AS evidence,
       format('ALTER TABLE %s OWNER TO <a role that nobody logs in as at run time>', c.oid::regclass) AS fix
FROM tenant_tables c
WHERE pg_has_role($1, c.relowner, 'MEMBER')
  AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)
