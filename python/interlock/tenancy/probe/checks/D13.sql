-- Foreign keys are checked without row-level security: one tenant can refer to, and probe for, another's row.
SELECT 'warning' AS severity, c.conrelid::regclass::text AS object,
       'this foreign key lets one tenant refer to a row of another: its key does not hold the tenant column' AS message,
       format('%I references %s (%s)', c.conname, c.confrelid::regclass, (
           SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(num, n)
           JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num)) AS evidence,
       '' AS fix
FROM pg_constraint c
JOIN tenant_tables parent ON parent.oid = c.confrelid AND parent.relrowsecurity
WHERE c.contype = 'f' AND c.conparentid = 0 AND NOT parent.tenant_attnum = ANY (c.confkey)
