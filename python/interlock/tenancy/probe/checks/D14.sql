-- A unique index over all tenants tells one tenant what another has.
SELECT 'warning' AS severity, c.oid::regclass::text AS object,
       'this unique index spans tenants: a conflict tells one tenant what another has' AS message,
       i.indexrelid::regclass::text AS evidence, '' AS fix
FROM pg_index i JOIN tenant_tables c ON c.oid = i.indrelid AND c.relrowsecurity AND c.reachable
WHERE i.indisunique AND NOT i.indisprimary AND NOT c.tenant_attnum = ANY (i.indkey::int2[])
  -- A random key collides with nothing.
  AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) k JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k
                  WHERE a.atttypid = 'uuid'::regtype)
