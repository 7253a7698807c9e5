-- Planted defects over many shapes of policies and objects. `finds` names the check that must report each; `on` the
-- table t that it is planted on: with a uuid or text tenant and no policy yet, or guarded by a correct one.
-- Run by a superuser as the owner of everything but where a statement says otherwise.

-- name: IS NULL OR
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (current_setting('app.current_org_id', true) IS NULL OR org_id::text = current_setting('app.current_org_id', true));

-- name: = '' OR
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (current_setting('app.current_org_id', true) = '' OR org_id::text = current_setting('app.current_org_id', true));

-- name: commuted '' =
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING ('' = current_setting('app.current_org_id', true) OR org_id::text = current_setting('app.current_org_id', true));

-- name: coalesce to the column
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = coalesce(nullif(current_setting('app.current_org_id', true), '')::uuid, org_id));

-- name: coalesce to true
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (coalesce(org_id::text = nullif(current_setting('app.current_org_id', true), ''), true));

-- name: NOT IS NOT NULL
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (NOT (nullif(current_setting('app.current_org_id', true), '') IS NOT NULL) OR org_id::text = current_setting('app.current_org_id', true));

-- name: CASE
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (CASE WHEN coalesce(current_setting('app.current_org_id', true), '') = '' THEN true ELSE org_id::text = current_setting('app.current_org_id', true) END);

-- name: IS NOT FALSE
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING ((org_id::text = nullif(current_setting('app.current_org_id', true), '')) IS NOT FALSE);

-- name: IS DISTINCT, negated
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (NOT (org_id::text IS DISTINCT FROM coalesce(nullif(current_setting('app.current_org_id', true), ''), org_id::text)));

-- name: LIKE prefix
-- finds: D07
-- on: text
CREATE POLICY p ON t USING (org_id LIKE coalesce(current_setting('app.current_org_id', true), '') || '%');

-- name: LIKE with wildcards of the id
-- finds: D07
-- on: text
CREATE POLICY p ON t USING (org_id LIKE current_setting('app.current_org_id', true));

-- name: case folded
-- finds: D07
-- on: text
CREATE POLICY p ON t USING (lower(org_id) = lower(nullif(current_setting('app.current_org_id', true), '')));

-- name: starts with
-- finds: D07
-- on: text
CREATE POLICY p ON t USING (starts_with(org_id, nullif(current_setting('app.current_org_id', true), '')));

-- name: admin setting
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR current_setting('app.is_admin', true) = 'true');

-- name: admin setting, cast to boolean
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR coalesce(nullif(current_setting('app.is_admin', true), '')::boolean, false));

-- name: role setting with its own word
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR current_setting('app.role', true) = 'superoperator');

-- name: public rows of every tenant
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR is_public);

-- name: status literal
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR status = 'published');

-- name: USING true
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (true);

-- name: second permissive policy
-- finds: D07
-- on: guarded
CREATE POLICY q ON t FOR SELECT USING (id > 0 OR id IS NULL);

-- name: policy of a role it is in
-- finds: D07
-- on: guarded
CREATE POLICY q ON t TO corpus_group USING (true);

-- name: WITH CHECK true
-- finds: D08
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)) WITH CHECK (true);

-- name: INSERT unchecked
-- finds: D08
-- on: uuid
CREATE POLICY r ON t FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)); CREATE POLICY a ON t FOR INSERT WITH CHECK (true);

-- name: UPDATE moves a row
-- finds: D08
-- on: uuid
CREATE POLICY r ON t FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)); CREATE POLICY w ON t FOR UPDATE USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)) WITH CHECK (id IS NOT NULL OR true);

-- name: DELETE open
-- finds: D07
-- on: uuid
CREATE POLICY r ON t FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)); CREATE POLICY d ON t FOR DELETE USING (true);

-- name: restrictive floor that fails open
-- finds: D07
-- on: uuid
CREATE POLICY e ON t USING (true); CREATE POLICY f ON t AS RESTRICTIVE USING (coalesce(org_id::text = nullif(current_setting('app.current_org_id', true), ''), true));

-- name: restrictive floor for one command only
-- finds: D07
-- on: uuid
CREATE POLICY e ON t USING (true); CREATE POLICY f ON t AS RESTRICTIVE FOR SELECT USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));

-- name: not enabled
-- finds: D04
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id)); GRANT SELECT ON t TO corpus_app;

-- name: not forced
-- finds: D05
-- on: guarded
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;

-- name: policies, but off
-- finds: D06
-- on: guarded
ALTER TABLE t DISABLE ROW LEVEL SECURITY;

-- name: no policy
-- finds: D06
-- on: uuid

-- name: view of an owner who bypasses
-- finds: D09
-- on: guarded
CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO corpus_app; ALTER VIEW v OWNER TO corpus_admin; GRANT SELECT ON t TO corpus_admin;

-- name: view over a view
-- finds: D09
-- on: guarded
CREATE VIEW inner_v AS SELECT * FROM t; CREATE VIEW v AS SELECT * FROM inner_v; GRANT SELECT ON v TO corpus_app; GRANT SELECT ON t TO corpus_admin; ALTER VIEW inner_v OWNER TO corpus_admin;

-- name: materialized view
-- finds: D10
-- on: guarded
CREATE MATERIALIZED VIEW m AS SELECT * FROM t; GRANT SELECT ON m TO corpus_app;

-- name: definer function without a path
-- finds: D11
-- on: guarded
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM corpus.t';

-- name: definer function of an owner who bypasses
-- finds: D11
-- on: guarded
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM corpus.t'; GRANT SELECT ON t TO corpus_admin; ALTER FUNCTION f() OWNER TO corpus_admin;

-- name: leakproof function
-- finds: D12
-- on: guarded
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'; ALTER FUNCTION leak(text) LEAKPROOF;

-- name: foreign key without the tenant
-- finds: D13
-- on: guarded
ALTER TABLE t ADD UNIQUE (id); CREATE TABLE child (org_id uuid NOT NULL, id int NOT NULL, t_id int REFERENCES t (id), PRIMARY KEY (org_id, id));

-- name: unique over tenants
-- finds: D14
-- on: guarded
CREATE UNIQUE INDEX ON t (status);

-- name: no index
-- finds: D16
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, is_public boolean, status text, PRIMARY KEY (id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));

-- name: partition granted
-- finds: D18
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id)) PARTITION BY HASH (org_id); CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)); GRANT SELECT ON t, t_0 TO corpus_app;

-- name: inherited child granted
-- finds: D18
-- on: guarded
CREATE TABLE child (extra int) INHERITS (t); GRANT SELECT ON child TO corpus_app;

-- name: TRUNCATE granted
-- finds: D19
-- on: guarded
GRANT TRUNCATE ON t TO corpus_app;

-- name: CREATE on a schema
-- finds: D20
-- on: guarded
GRANT CREATE ON SCHEMA corpus TO corpus_app;

-- name: a default tenant
-- finds: D21
-- on: guarded
ALTER ROLE corpus_app IN DATABASE :database SET app.current_org_id = 'aaaaaaaa-0000-4000-8000-000000000001';

-- name: published
-- finds: D22
-- on: guarded
CREATE PUBLICATION corpus_publication FOR TABLE t;

-- name: nullable tenant
-- finds: D23
CREATE TABLE t (org_id uuid, id int PRIMARY KEY); CREATE INDEX ON t (org_id); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT ON t TO corpus_app; CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));

-- name: definer trigger
-- finds: D24
-- on: guarded
CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tr(); ALTER FUNCTION tr() OWNER TO corpus_admin;

-- name: default privileges
-- finds: D25
-- on: guarded
ALTER DEFAULT PRIVILEGES IN SCHEMA corpus GRANT SELECT ON TABLES TO corpus_app;

-- name: owned by the runtime role
-- finds: D03
-- on: guarded
ALTER TABLE t OWNER TO corpus_app;

-- name: sealed scope per row
-- finds: D17
-- on: text
CREATE POLICY p ON t USING (org_id = interlock.current_org());
