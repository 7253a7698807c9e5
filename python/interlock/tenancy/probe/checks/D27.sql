-- D15 and D27. A shared sequence tells how much the others write.
SELECT 'info' AS severity, c.oid::regclass::text AS object,
       'a sequence that all tenants share tells each how much the others write' AS message, 'USAGE' AS evidence, '' AS fix
FROM pg_class c
WHERE CASE WHEN c.relkind = 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE, SELECT') ELSE false END
