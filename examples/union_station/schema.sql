-- The service's tables. Run as the owner; the runtime role owns nothing and bypasses nothing.
CREATE TABLE orgs (
    org_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL
);

CREATE TABLE people (
    org_id uuid NOT NULL REFERENCES orgs,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text NOT NULL,
    note text,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, email)
);

CREATE TABLE notes (
    org_id uuid NOT NULL REFERENCES orgs,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    title text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id)
);

-- Read before the tenant is known, by the admin role alone; only a digest of the key is kept.
CREATE TABLE api_keys (
    key_digest bytea PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs
);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['orgs', 'people', 'notes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        -- nullif: after a reset the setting is '', which must be nobody and not an error.
        EXECUTE format(
            'CREATE POLICY own_org ON %I USING (org_id = (SELECT nullif(current_setting(''app.current_org_id'', true), '''')::uuid))',
            tenant_table);
    END LOOP;
END $$;

GRANT SELECT ON orgs TO us_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON people, notes TO us_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON orgs, people, notes, api_keys TO us_admin;
