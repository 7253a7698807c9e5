-- The runtime role has a right that row-level security does not survive.
SELECT 'error' AS severity, format('role %I', rolname) AS object,
       'the runtime role can step over row-level security' AS message,
       concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
                 CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
                 CASE WHEN rolreplication THEN 'REPLICATION' END) AS evidence,
       format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION', rolname) AS fix
FROM pg_roles
WHERE rolname = $1 AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)
