-- A view reads its tables with its owner's rights. Whether the owner's own policies let rows out, the probe finds.
SELECT CASE WHEN skips THEN 'error' ELSE 'info' END AS severity, view AS object,
       CASE WHEN skips THEN 'this view shows every tenant''s rows: its owner skips row-level security'
            ELSE 'this view reads with its owner''s rights: the policies must hold for the owner too' END AS message,
       format('reads %s as %I', table_name, owner) AS evidence,
       format('ALTER VIEW %s SET (security_invoker = true)', view) AS fix
FROM views
