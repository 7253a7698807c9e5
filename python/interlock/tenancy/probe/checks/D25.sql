-- A table that is created tomorrow is open before anybody enables row-level security on it.
SELECT 'warning' AS severity, format('default privileges of %I', pg_get_userbyid(d.defaclrole)) AS object,
       'future tables are granted to the runtime role before row-level security is enabled on them' AS message,
       format('%s in %s', string_agg(DISTINCT x.privilege_type, ', '),
              coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'every schema')) AS evidence,
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %sREVOKE ALL ON TABLES FROM %s', pg_get_userbyid(d.defaclrole),
              coalesce('IN SCHEMA ' || nullif(d.defaclnamespace, 0)::regnamespace::text || ' ', ''),
              CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END) AS fix
FROM pg_default_acl d
CROSS JOIN LATERAL aclexplode(d.defaclacl) x
WHERE d.defaclobjtype = 'r' AND x.grantee <> d.defaclrole
  AND CASE WHEN x.grantee = 0 THEN true ELSE pg_has_role($1, x.grantee, 'USAGE') END
  AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
GROUP BY d.oid, d.defaclrole, d.defaclnamespace, x.grantee
