-- A partition or child that is named in a query is judged by its own policies, not its parent's.
SELECT 'error' AS severity, c.oid::regclass::text AS object,
       'queries that name this partition or child skip the policies of its parent' AS message,
       format('inherits from %s', i.inhparent::regclass) AS evidence,
       format('REVOKE ALL ON %s FROM PUBLIC, %I', c.oid::regclass, $1::text) AS fix
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
JOIN pg_class p ON p.oid = i.inhparent AND p.relrowsecurity
WHERE NOT c.relrowsecurity AND has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
