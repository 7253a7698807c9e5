-- SECURITY DEFINER: whose rights, and whose objects does it find?
SELECT CASE WHEN path.value IS NULL OR path.value ~ '\$user|public' THEN 'error' ELSE 'warning' END AS severity,
       p.oid::regprocedure::text AS object,
       CASE WHEN path.value IS NULL OR path.value ~ '\$user|public'
            THEN 'this SECURITY DEFINER function can be made to find the caller''s objects: its search_path is not pinned'
            ELSE 'this SECURITY DEFINER function runs as a role that skips row-level security' END AS message,
       format('owner %I, %s', o.rolname, coalesce(path.value, 'no search_path')) AS evidence,
       CASE WHEN path.value IS NULL OR path.value ~ '\$user|public'
            THEN format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', p.oid::regprocedure)
            ELSE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %I', p.oid::regprocedure, $1::text) END AS fix
FROM pg_proc p
JOIN pg_roles o ON o.oid = p.proowner
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN LATERAL (SELECT c AS value FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') path ON true
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'interlock')
  AND p.prorettype <> 'trigger'::regtype  -- D24
  AND has_function_privilege($1, p.oid, 'EXECUTE') AND has_schema_privilege($1, n.oid, 'USAGE')
  AND (path.value IS NULL OR path.value ~ '\$user|public' OR o.rolsuper OR o.rolbypassrls)
