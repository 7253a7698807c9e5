-- The audit trail. Both roles may add rows and read them; no grant lets either change or remove one.
CREATE SCHEMA IF NOT EXISTS interlock;
GRANT USAGE ON SCHEMA interlock TO :"tenant_role", :"admin_role";

CREATE TABLE IF NOT EXISTS interlock.audit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id text CHECK (org_id <> ''),  -- NULL: the system's own
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text,
    action text NOT NULL CHECK (action <> ''),
    subject text,
    details jsonb
);

CREATE INDEX IF NOT EXISTS audit_org_id_at ON interlock.audit (org_id, at);

ALTER TABLE interlock.audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE interlock.audit FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS own_org ON interlock.audit;
CREATE POLICY own_org ON interlock.audit
    USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));

REVOKE ALL ON interlock.audit FROM PUBLIC, :"tenant_role", :"admin_role";
GRANT SELECT ON interlock.audit TO :"tenant_role", :"admin_role";
-- By column, so that nobody chooses the id or the time of a row.
GRANT INSERT (org_id, actor, action, subject, details) ON interlock.audit TO :"tenant_role", :"admin_role";
