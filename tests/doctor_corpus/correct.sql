-- Schemas of the kinds people really write. The doctor must stay silent: no error, no warning.
-- Every block is one schema; the runtime role is corpus_app, the tables' owner runs this file.

-- name: uuid tenant, nullif, sub-select, FORCE
CREATE TABLE t (org_id uuid NOT NULL, id uuid NOT NULL, body text, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: bigint tenant
CREATE TABLE t (org_id bigint NOT NULL, id bigint NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::bigint))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::bigint));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: text tenant, commuted
CREATE TABLE t (org_id text NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING ((SELECT nullif(current_setting('app.current_org_id', true), '')) = org_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: varchar tenant without nullif: no tenant is ''
CREATE TABLE t (org_id varchar(64) NOT NULL CHECK (org_id <> ''), id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = current_setting('app.current_org_id', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: raises when the setting is missing: it fails loudly
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = current_setting('app.current_org_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: a policy for each command
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY r ON t FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY a ON t FOR INSERT WITH CHECK (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY w ON t FOR UPDATE USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY d ON t FOR DELETE USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: restrictive floor under an open permissive policy
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON t USING (true);
CREATE POLICY floor ON t AS RESTRICTIVE USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: policy of another role is open, ours is not
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY ours ON t TO corpus_app USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY reports ON t TO corpus_reports USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: visibility column inside the tenant
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, is_public boolean NOT NULL, owner text, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)
    AND (is_public OR owner = current_setting('app.user', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: membership looked up in another table
CREATE TABLE members (org_id uuid NOT NULL, person text NOT NULL, PRIMARY KEY (org_id, person));
ALTER TABLE members ENABLE ROW LEVEL SECURITY; ALTER TABLE members FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON members USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT ON members TO corpus_app;
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id IN (SELECT m.org_id FROM members m WHERE m.person = current_setting('app.user', true)));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: partitioned by hash, partitions not granted
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id)) PARTITION BY HASH (org_id);
CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: security_invoker view
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM t;
GRANT SELECT ON t, v TO corpus_app;

-- name: composite foreign key and unique within the tenant
CREATE TABLE parent (org_id uuid NOT NULL, id int NOT NULL, email text, PRIMARY KEY (org_id, id), UNIQUE (org_id, email));
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, parent int, PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, parent) REFERENCES parent (org_id, id));
ALTER TABLE parent ENABLE ROW LEVEL SECURITY; ALTER TABLE parent FORCE ROW LEVEL SECURITY;
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON parent USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON parent, t TO corpus_app;

-- name: a reference table without tenants
CREATE TABLE plans (id int PRIMARY KEY, name text);
GRANT SELECT ON plans TO corpus_app;

-- name: definer function with a pinned path, owned by a role that bypasses nothing
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;
CREATE FUNCTION size() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT count(*) FROM corpus.t';
GRANT EXECUTE ON FUNCTION size() TO corpus_app;

-- name: coalesce to an id that no tenant has
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = coalesce(nullif((SELECT current_setting('app.current_org_id', true)), ''),
    '00000000-0000-0000-0000-000000000000')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: a domain, with a length and a check
CREATE DOMAIN slug AS varchar(40) CHECK (VALUE ~ '^[a-z0-9_-]+$');
CREATE TABLE t (org_id slug NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: the comparison in a function
CREATE FUNCTION current_org() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('app.current_org_id', true), '')::uuid $$;
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, status text CHECK (status IN ('draft', 'done')), PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT current_org()) AND (status <> 'draft' OR current_setting('app.user', true) = 'editor'));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: a child that belongs to its parent
CREATE TABLE t (org_id uuid NOT NULL, id uuid PRIMARY KEY); CREATE INDEX ON t (org_id);
CREATE TABLE lines (id uuid PRIMARY KEY, org_id uuid NOT NULL, t_id uuid NOT NULL); CREATE INDEX ON lines (org_id, t_id);
CREATE TABLE notes (line_id uuid PRIMARY KEY, body text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
ALTER TABLE lines ENABLE ROW LEVEL SECURITY; ALTER TABLE lines FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY p ON lines USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY p ON notes USING (EXISTS (SELECT FROM lines l WHERE l.id = line_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON t, lines, notes TO corpus_app;

-- name: the tenants, and what they all may read
CREATE TABLE orgs (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE currencies (code char(3) PRIMARY KEY);
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY; ALTER TABLE orgs FORCE ROW LEVEL SECURITY;
ALTER TABLE currencies ENABLE ROW LEVEL SECURITY; ALTER TABLE currencies FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON orgs FOR SELECT USING (id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY p ON currencies FOR SELECT USING (true);
GRANT SELECT ON orgs, currencies TO corpus_app;

-- name: partitioned by list of tenants, no index needed
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL) PARTITION BY LIST (org_id);
CREATE TABLE t_rest PARTITION OF t DEFAULT;
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: the setting's name in other letters
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('App.Current_Org_Id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: the tenant and the reader, two settings that must both hold
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, owner_id uuid, deleted_at timestamptz, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)
    AND deleted_at IS NULL AND (owner_id IS NULL OR owner_id = nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: append-only, read through a view of the caller's
CREATE TABLE log (org_id text NOT NULL, at timestamptz NOT NULL DEFAULT now(), line text NOT NULL);
CREATE INDEX ON log (org_id, at);
ALTER TABLE log ENABLE ROW LEVEL SECURITY; ALTER TABLE log FORCE ROW LEVEL SECURITY;
CREATE POLICY a ON log FOR INSERT WITH CHECK (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
CREATE POLICY r ON log FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')));
CREATE VIEW recent WITH (security_invoker = on) AS SELECT * FROM log WHERE at > now() - interval '1 day';
GRANT SELECT, INSERT ON log TO corpus_app; GRANT SELECT ON recent TO corpus_app;

-- name: jsonb and arrays within the tenant
CREATE TABLE t (org_id bigint NOT NULL, id bigint NOT NULL, meta jsonb, tags text[], PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::bigint)
    AND (meta ->> 'visibility' = 'public' OR 'staff' = ANY (tags) OR current_setting('app.role', true) = 'admin'));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: raises its own error without a tenant
CREATE FUNCTION org() RETURNS uuid LANGUAGE plpgsql STABLE AS $$ BEGIN
    IF coalesce(current_setting('app.current_org_id', true), '') = '' THEN RAISE insufficient_privilege; END IF;
    RETURN current_setting('app.current_org_id')::uuid; END $$;
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT org()));
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;

-- name: rows of no tenant, which all may read and nobody may write
CREATE TABLE t (org_id uuid, id int PRIMARY KEY, body text); CREATE INDEX ON t (org_id);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;
CREATE POLICY r ON t FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR org_id IS NULL);
CREATE POLICY w ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
