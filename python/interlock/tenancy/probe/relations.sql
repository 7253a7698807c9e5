-- What every check may name. $1 the runtime role, $2 the tenant column, $3 the setting.
WITH RECURSIVE given AS (SELECT $1::text, $2::text, $3::text),
tenant_tables AS (
    SELECT c.oid, c.relname, c.relnamespace, c.relowner, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
           c.relispartition, a.attnum AS tenant_attnum,
           has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS reachable
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'interlock')
),
-- What the views that the role may read get at, and with whose rights; a security_invoker view (PostgreSQL 15) has none.
view_reads AS (
    SELECT v.oid AS view, v.relowner AS owner, d.refobjid AS relation
    FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
    WHERE v.relkind = 'v' AND has_table_privilege($1, v.oid, 'SELECT, INSERT, UPDATE, DELETE')
      AND NOT coalesce(v.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
    UNION
    SELECT r.view, inner_view.relowner, d.refobjid
    FROM view_reads r JOIN pg_class inner_view ON inner_view.oid = r.relation AND inner_view.relkind = 'v'
    JOIN pg_rewrite w ON w.ev_class = inner_view.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> inner_view.oid
),
views AS (
    SELECT DISTINCT v.oid::regclass::text AS view, t.oid AS relation, format('%I.%I', n.nspname, t.relname) AS table_name,
           o.rolname AS owner, o.rolsuper OR o.rolbypassrls
               OR (pg_has_role(o.oid, t.relowner, 'USAGE') AND NOT t.relforcerowsecurity) AS skips
    FROM view_reads r
    JOIN pg_class v ON v.oid = r.view
    JOIN pg_class t ON t.oid = r.relation AND t.relkind IN ('r', 'p') AND t.relrowsecurity
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_roles o ON o.oid = r.owner
)
