-- TRUNCATE and the checks of foreign keys ignore row-level security.
SELECT CASE WHEN has_table_privilege($1, c.oid, 'TRUNCATE') THEN 'error' ELSE 'warning' END AS severity,
       c.oid::regclass::text AS object,
       'the runtime role has a right that row-level security does not restrict' AS message,
       concat_ws(', ', CASE WHEN has_table_privilege($1, c.oid, 'TRUNCATE') THEN 'TRUNCATE' END,
                 CASE WHEN has_table_privilege($1, c.oid, 'REFERENCES') THEN 'REFERENCES' END,
                 CASE WHEN has_table_privilege($1, c.oid, 'TRIGGER') THEN 'TRIGGER' END) AS evidence,
       format('REVOKE TRUNCATE, REFERENCES, TRIGGER ON %s FROM PUBLIC, %I', c.oid::regclass, $1::text) AS fix
FROM tenant_tables c
WHERE has_table_privilege($1, c.oid, 'TRUNCATE, REFERENCES, TRIGGER')
  AND NOT pg_has_role($1, c.relowner, 'USAGE')  -- D01, D03
