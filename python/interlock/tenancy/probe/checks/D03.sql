-- An owner may disable row-level security, or is not bound by it at all.
SELECT 'error' AS severity, c.oid::regclass::text AS object,
       'the runtime role owns this tenant table, or is a member of its owner' AS message,
       format('owner %I', pg_get_userbyid(c.relowner)) AS evidence,
       CASE WHEN pg_get_userbyid(c.relowner) <> $1 THEN format('REVOKE %I FROM %I', pg_get_userbyid(c.relowner), $1::text)
            WHEN pg_get_userbyid(d.datdba) <> $1 THEN
                format('ALTER TABLE %1$s OWNER TO %2$I; GRANT SELECT, INSERT, UPDATE, DELETE ON %1$s TO %3$I',
                       c.oid::regclass, pg_get_userbyid(d.datdba), $1::text)
            ELSE '' END AS fix
FROM tenant_tables c JOIN pg_database d ON d.datname = current_database()
WHERE pg_has_role($1, c.relowner, 'MEMBER')
  AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)
