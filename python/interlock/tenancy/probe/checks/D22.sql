-- A subscriber gets every tenant's rows.
SELECT 'warning' AS severity, c.oid::regclass::text AS object,
       'this table is published: whoever subscribes gets every tenant''s rows' AS message,
       format('publication %I', pt.pubname) AS evidence,
       CASE WHEN p.puballtables THEN '' ELSE format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, c.oid::regclass) END AS fix
FROM pg_publication_tables pt JOIN pg_publication p ON p.pubname = pt.pubname
JOIN tenant_tables c ON c.relname = pt.tablename AND c.relnamespace::regnamespace::text = quote_ident(pt.schemaname)
WHERE c.relrowsecurity
