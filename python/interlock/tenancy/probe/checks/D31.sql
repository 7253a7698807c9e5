-- What sessions of one role share, whatever the policies say.
SELECT 'info' AS severity, format('role %I', $1::text) AS object,
       'all tenants share this role: each can see the others'' running statements, and cancel them' AS message,
       'pg_stat_activity, pg_cancel_backend' AS evidence,
       format('ALTER ROLE %I SET track_activities = off', $1::text) AS fix
WHERE current_setting('track_activities') = 'on' AND NOT EXISTS (
    SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
    WHERE r.rolname = $1 AND 'track_activities=off' = ANY (s.setconfig))
