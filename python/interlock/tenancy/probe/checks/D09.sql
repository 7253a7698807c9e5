-- A view reads its tables with its owner's rights unless it is a security_invoker view (PostgreSQL 15).
WITH RECURSIVE reads AS (
    SELECT v.oid AS view, v.relowner AS owner, d.refobjid AS relation
    FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
    WHERE v.relkind = 'v' AND has_table_privilege($1, v.oid, 'SELECT')
      AND NOT coalesce(v.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
    UNION
    SELECT r.view, inner_view.relowner, d.refobjid
    FROM reads r JOIN pg_class inner_view ON inner_view.oid = r.relation AND inner_view.relkind = 'v'
    JOIN pg_rewrite w ON w.ev_class = inner_view.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> inner_view.oid
)
SELECT DISTINCT CASE WHEN skips.yes THEN 'error' ELSE 'info' END AS severity, v.oid::regclass::text AS object,
       CASE WHEN skips.yes THEN 'this view shows every tenant''s rows: its owner skips row-level security'
            ELSE 'this view reads with its owner''s rights: the policies must hold for the owner too' END AS message,
       format('reads %s as %I', t.oid::regclass, o.rolname) AS evidence,
       format('ALTER VIEW %s SET (security_invoker = true)', v.oid::regclass) AS fix
FROM reads r
JOIN pg_class v ON v.oid = r.view
JOIN pg_class t ON t.oid = r.relation AND t.relkind IN ('r', 'p') AND t.relrowsecurity
JOIN pg_roles o ON o.oid = r.owner
CROSS JOIN LATERAL (SELECT o.rolsuper OR o.rolbypassrls OR (pg_has_role(o.oid, t.relowner, 'USAGE') AND NOT t.relforcerowsecurity) AS yes) skips
