-- A unique index over all tenants tells one tenant what another has.
SELECT 'warning' AS severity, c.oid::regclass::text AS object,
       'this unique index spans tenants: a conflict tells one tenant what another has' AS message,
       i.indexrelid::regclass::text AS evidence,
       CASE WHEN s.oid IS NULL THEN
           format('DROP INDEX %s; ', i.indexrelid::regclass)
           || regexp_replace(pg_get_indexdef(i.indexrelid), ' USING (\w+) \(', format(' USING \1 (%I, ', $2::text))
       WHEN s.contype = 'u' AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype = 'f') THEN
           format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I ', c.oid::regclass, s.conname)
           || regexp_replace(pg_get_constraintdef(s.oid), '\(', format('(%I, ', $2::text))
       ELSE '' END AS fix
FROM pg_index i JOIN tenant_tables c ON c.oid = i.indrelid AND c.relrowsecurity AND c.reachable
LEFT JOIN pg_constraint s ON s.conindid = i.indexrelid AND s.contype IN ('u', 'x') AND s.conrelid = i.indrelid
WHERE i.indisunique AND NOT i.indisprimary AND NOT c.tenant_attnum = ANY (i.indkey::int2[])
  -- A random key collides with nothing.
  AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) k JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k
                  WHERE a.atttypid = 'uuid'::regtype)
