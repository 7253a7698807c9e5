-- Every query filters by the tenant column, whether it says so or not.
SELECT 'warning' AS severity, c.oid::regclass::text AS object,
       'no index starts with the tenant column, by which every query is filtered' AS message,
       quote_ident($2::text) AS evidence,
       format('CREATE INDEX ON %s (%I)', c.oid::regclass, $2::text) AS fix
FROM tenant_tables c
WHERE c.relrowsecurity AND c.reachable AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
                  AND i.indkey[0] = c.tenant_attnum)
  -- Partitions by tenant are their own index.
  AND NOT EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = c.oid AND p.partattrs[0] = c.tenant_attnum)
