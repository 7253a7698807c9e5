-- Owner desk_owner, runtime role desk_app, admin role desk_admin (BYPASSRLS).
CREATE TABLE orgs (org_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
CREATE TABLE api_keys (key text PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs ON DELETE CASCADE);
CREATE TABLE plans (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, price int NOT NULL);
INSERT INTO plans (name, price) VALUES ('basic', 10), ('team', 40), ('company', 90);

CREATE TABLE customers (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), name text NOT NULL, email text NOT NULL,
    note text, PRIMARY KEY (org_id, id), UNIQUE (id), CONSTRAINT customers_email UNIQUE (org_id, email)
);
CREATE TABLE tickets (
    org_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, customer_id uuid NOT NULL, title text NOT NULL,
    body text NOT NULL, status text NOT NULL DEFAULT 'open', PRIMARY KEY (org_id, id), UNIQUE (id),
    CONSTRAINT tickets_customer FOREIGN KEY (org_id, customer_id) REFERENCES customers (org_id, id) ON DELETE CASCADE
);
CREATE TABLE comments (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), ticket_id bigint NOT NULL, body text NOT NULL,
    PRIMARY KEY (org_id, id), FOREIGN KEY (org_id, ticket_id) REFERENCES tickets (org_id, id) ON DELETE CASCADE
);
CREATE TABLE documents (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), name text NOT NULL, content text NOT NULL,
    digest text NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (org_id, id)
);
CREATE TABLE invoices (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), number int NOT NULL, plan_id uuid NOT NULL REFERENCES plans,
    memo text NOT NULL, amount int NOT NULL, paid boolean NOT NULL DEFAULT false, PRIMARY KEY (org_id, id), UNIQUE (org_id, number)
);
CREATE TABLE proposals (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), digest text NOT NULL, action text NOT NULL,
    state text NOT NULL DEFAULT 'pending', seen int NOT NULL DEFAULT 1, PRIMARY KEY (org_id, id), UNIQUE (org_id, digest)
);
CREATE TABLE preferences (org_id uuid PRIMARY KEY, signature text NOT NULL, theme text NOT NULL);
CREATE TABLE reports (
    org_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), title text NOT NULL, result text, PRIMARY KEY (org_id, id)
);
CREATE TABLE activity_log (
    org_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, event text NOT NULL, PRIMARY KEY (org_id, id)
);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['orgs', 'customers', 'tickets', 'comments', 'documents', 'invoices', 'proposals',
                                        'preferences', 'reports', 'activity_log'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY own_org ON %I USING (org_id = (SELECT nullif(current_setting(''app.current_org_id'', true), '''')::uuid))',
            tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO desk_app, desk_admin', tenant_table);
    END LOOP;
END $$;
GRANT SELECT ON plans TO desk_app, desk_admin;
GRANT SELECT, INSERT, DELETE ON api_keys TO desk_admin;

CREATE VIEW activity WITH (security_invoker = true) AS SELECT id, event, org_id FROM activity_log;
GRANT SELECT ON activity TO desk_app;
CREATE FUNCTION find_anything(wanted text) RETURNS TABLE (kind text, title text)
LANGUAGE sql STABLE SECURITY INVOKER AS $$
    SELECT 'customer', name FROM customers WHERE position(wanted IN name) > 0
    UNION ALL SELECT 'ticket', title FROM tickets WHERE position(wanted IN title) > 0
$$;
