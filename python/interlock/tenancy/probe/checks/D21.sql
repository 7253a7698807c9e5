-- RESET returns to a default: with one here, to a tenant.
SELECT 'error' AS severity, format('setting %s', split_part(item, '=', 1)) AS object,
       'this setting has a default, so that a reset returns to it instead of to nothing' AS message,
       format('%s in %s', coalesce(r.rolname::text, 'every role'), coalesce(d.datname::text, 'every database')) AS evidence,
       CASE WHEN r.rolname IS NULL THEN format('ALTER DATABASE %I RESET %s', d.datname, split_part(item, '=', 1))
            ELSE format('ALTER ROLE %I %sRESET %s', r.rolname,
                        coalesce(format('IN DATABASE %I ', d.datname), ''), split_part(item, '=', 1)) END AS fix
FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) item
WHERE split_part(item, '=', 1) IN ($3, 'row_security', 'role')
  AND (r.rolname IS NULL OR r.rolname = $1) AND (d.datname IS NULL OR d.datname = current_database())
