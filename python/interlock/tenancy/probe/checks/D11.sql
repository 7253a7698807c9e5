-- SECURITY DEFINER: whose rights, and whose objects does it find?
SELECT CASE WHEN open_path THEN 'error' WHEN skips THEN 'warning' ELSE 'info' END AS severity, name AS object,
       CASE WHEN open_path THEN 'this SECURITY DEFINER function can be made to find the caller''s objects: its search_path is not pinned'
            WHEN skips THEN 'this SECURITY DEFINER function runs as a role that skips row-level security'
            ELSE 'temporary tables shadow what this SECURITY DEFINER function reads: its search_path does not end in pg_temp' END AS message,
       format('owner %I, %s', owner, coalesce(path, 'no search_path')) AS evidence,
       CASE WHEN open_path THEN format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', name)
            WHEN skips THEN format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %I', name, $1::text)
            ELSE format('ALTER FUNCTION %s SET search_path = %s, pg_temp', name, substr(path, 13)) END AS fix
FROM (
    SELECT p.oid::regprocedure::text AS name, o.rolname AS owner, path.value AS path,
           path.value IS NULL OR path.value ~ '\$user|public' AS open_path,
           o.rolsuper OR o.rolbypassrls OR EXISTS (
               SELECT FROM tenant_tables t WHERE t.relrowsecurity AND NOT t.relforcerowsecurity
                 AND pg_has_role(o.oid, t.relowner, 'USAGE')) AS skips,
           has_database_privilege($1, current_database(), 'TEMP') AND path.value !~ '=(""|.*pg_temp)$' AS shadowed
    FROM pg_proc p
    JOIN pg_roles o ON o.oid = p.proowner
    JOIN pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN LATERAL (SELECT c AS value FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') path ON true
    WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'interlock')
      AND p.prorettype <> 'trigger'::regtype  -- D24
      AND has_function_privilege($1, p.oid, 'EXECUTE') AND has_schema_privilege($1, n.oid, 'USAGE')
) definer
WHERE open_path OR skips OR shadowed
