-- Objects that one tenant's session leaves behind are found first by the next one on the same connection.
SELECT 'info' AS severity, format('database %I', datname) AS object,
       'the runtime role can create temporary tables, which shadow real ones until the connection is reset' AS message,
       'TEMPORARY' AS evidence,
       format('REVOKE TEMPORARY ON DATABASE %1$I FROM PUBLIC, %2$I', datname, $1::text) AS fix
FROM pg_database WHERE datname = current_database() AND has_database_privilege($1, oid, 'TEMP')
  AND NOT pg_has_role($1, datdba, 'USAGE')
UNION ALL
SELECT 'warning', format('schema %I', nspname),
       'the runtime role can create objects here, which other tenants'' sessions may find', 'CREATE',
       format('REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC, %2$I', nspname, $1::text)
FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND has_schema_privilege($1, oid, 'CREATE')
  AND NOT pg_has_role($1, nspowner, 'USAGE')
