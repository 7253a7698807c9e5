-- Foreign keys are checked without row-level security: one tenant can refer to, and probe for, another's row.
SELECT 'warning' AS severity, c.conrelid::regclass::text AS object,
       'this foreign key lets one tenant refer to a row of another: its key does not hold the tenant column' AS message,
       format('%I references %s (%s)', c.conname, c.confrelid::regclass, keys.theirs) AS evidence,
       -- A key that sets columns NULL or to defaults would do so with the tenant's, too.
       CASE WHEN child.oid IS NOT NULL AND c.confdeltype IN ('a', 'r', 'c') AND c.confupdtype IN ('a', 'r', 'c') THEN
           format('ALTER TABLE %s ADD UNIQUE (%I, %s); ', c.confrelid::regclass, $2::text, keys.theirs)
           || format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I FOREIGN KEY (%3$I, %4$s) REFERENCES %5$s (%3$I, %6$s)',
                     c.conrelid::regclass, c.conname, $2::text, keys.ours, c.confrelid::regclass, keys.theirs)
           || CASE c.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE' WHEN 'r' THEN ' ON UPDATE RESTRICT' ELSE '' END
           || CASE c.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT' ELSE '' END
       ELSE '' END AS fix
FROM pg_constraint c
JOIN tenant_tables parent ON parent.oid = c.confrelid AND parent.relrowsecurity
LEFT JOIN tenant_tables child ON child.oid = c.conrelid
CROSS JOIN LATERAL (
    SELECT string_agg(quote_ident(o.attname), ', ' ORDER BY k.n) AS ours, string_agg(quote_ident(t.attname), ', ' ORDER BY k.n) AS theirs
    FROM unnest(c.conkey, c.confkey) WITH ORDINALITY k(own, their, n)
    JOIN pg_attribute o ON o.attrelid = c.conrelid AND o.attnum = k.own
    JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.their) keys
WHERE c.contype = 'f' AND c.conparentid = 0 AND NOT parent.tenant_attnum = ANY (c.confkey)
