-- More planted defects: other types, columns that open a row, what a policy calls, tables around the tenant's.
-- Read as planted.sql is.

-- name: a domain over uuid, fail-open
-- finds: D07
CREATE DOMAIN tenant_id AS uuid;
CREATE TABLE t (org_id tenant_id NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT, INSERT ON t TO corpus_app;
CREATE POLICY p ON t USING (coalesce(current_setting('app.current_org_id', true), '') = '' OR org_id = current_setting('app.current_org_id', true)::uuid);

-- name: a short varchar tenant, fail-open
-- finds: D07
CREATE TABLE t (org_id varchar(4) NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id = coalesce(nullif(current_setting('app.current_org_id', true), ''), org_id));

-- name: an enum tenant, fail-open
-- finds: D07
CREATE TYPE region AS ENUM ('eu', 'us', 'apac');
CREATE TABLE t (org_id region NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id::text = current_setting('app.current_org_id', true) OR current_setting('app.current_org_id', true) IS NULL);

-- name: bigint tenant, greater or equal
-- finds: D07
CREATE TABLE t (org_id bigint NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id >= nullif(current_setting('app.current_org_id', true), '')::bigint);

-- name: published_at IS NOT NULL
-- finds: D07
-- on: uuid
ALTER TABLE t ADD published_at timestamptz;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR published_at <= now());

-- name: deleted_at IS NULL
-- finds: D07
-- on: uuid
ALTER TABLE t ADD deleted_at timestamptz;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR deleted_at IS NULL);

-- name: status is not a draft
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR status <> 'draft');

-- name: status like public
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR status ~ '^public$');

-- name: a level above a number
-- finds: D07
-- on: uuid
ALTER TABLE t ADD level int;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR level > 5);

-- name: an enum and a boolean together
-- finds: D07
-- on: uuid
CREATE TYPE kind AS ENUM ('private', 'listed', 'open'); ALTER TABLE t ADD kind kind;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR (kind = 'open' AND is_public AND status = 'live'));

-- name: json visibility
-- finds: D07
-- on: uuid
ALTER TABLE t ADD meta jsonb;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR meta ->> 'visibility' = 'public');

-- name: json contains
-- finds: D07
-- on: uuid
ALTER TABLE t ADD meta jsonb;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR meta @> '{"shared": true}');

-- name: a tag
-- finds: D07
-- on: uuid
ALTER TABLE t ADD tags text[];
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR 'public' = ANY (tags));

-- name: no owner
-- finds: D07
-- on: uuid
ALTER TABLE t ADD owner_id uuid;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR owner_id = '00000000-0000-0000-0000-000000000000');

-- name: the hole is in a function
-- finds: D07
-- on: uuid
CREATE FUNCTION visible(org uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT org::text = current_setting('app.current_org_id', true) OR current_setting('app.support', true) = 'yes-please' $$;
CREATE POLICY p ON t USING (visible(org_id));

-- name: the hole is in a function that a function calls
-- finds: D07
-- on: uuid
CREATE FUNCTION is_staff() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.kind', true) = 'staff'; END $$;
CREATE FUNCTION visible(org uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
    BEGIN RETURN corpus.is_staff() OR org::text = current_setting('app.current_org_id', true); END $$;
CREATE POLICY p ON t USING (visible(org_id));

-- name: the hole is in a function with an SQL body
-- finds: D07
-- on: uuid
CREATE FUNCTION visible(org uuid) RETURNS boolean LANGUAGE sql STABLE
    RETURN org::text = current_setting('app.current_org_id', true) OR current_setting('app.mode', true) = 'maintenance';
CREATE POLICY p ON t USING (visible(org_id));

-- name: two settings at once
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)
    OR (current_setting('app.role', true) = 'auditor' AND current_setting('app.reason', true) = 'ticket'));

-- name: claims in JSON
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)
    OR org_id = ((nullif(current_setting('request.jwt.claims', true), ''))::json ->> 'org')::uuid);

-- name: the tenant of another setting
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (org_id = nullif(current_setting('app.tenant', true), '')::uuid);

-- name: maintenance when no tenant is set
-- finds: D07
-- on: uuid
CREATE POLICY p ON t USING (CASE coalesce(current_setting('app.current_org_id', true), '') WHEN '' THEN current_user = 'corpus_app' ELSE org_id::text = current_setting('app.current_org_id', true) END);

-- name: UPDATE open, in a permissive policy beside a good one
-- finds: D07
-- on: guarded
CREATE POLICY q ON t FOR UPDATE USING (status = 'open');

-- name: child without the tenant column, open
-- finds: D07
-- on: guarded
ALTER TABLE t ADD UNIQUE (id);
CREATE TABLE lines (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t (id), body text);
ALTER TABLE lines ENABLE ROW LEVEL SECURITY; ALTER TABLE lines FORCE ROW LEVEL SECURITY; GRANT SELECT, INSERT ON lines TO corpus_app;
CREATE POLICY p ON lines USING (true);

-- name: child without the tenant column and without row-level security
-- finds: D04
-- on: guarded
ALTER TABLE t ADD UNIQUE (id);
CREATE TABLE lines (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t (id), body text); GRANT SELECT, INSERT ON lines TO corpus_app;

-- name: the table of the tenants itself
-- finds: D07
CREATE TABLE orgs (id uuid PRIMARY KEY, name text);
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY; ALTER TABLE orgs FORCE ROW LEVEL SECURITY; GRANT SELECT ON orgs TO corpus_app;
CREATE POLICY p ON orgs USING (id::text = current_setting('app.current_org_id', true) OR coalesce(current_setting('app.current_org_id', true), '') = '');

-- name: view of an owner whom an open policy lets through
-- finds: D09
-- on: guarded
CREATE POLICY q ON t TO corpus_owner USING (true);
CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO corpus_app;

-- name: definer function of an owner who is not forced
-- finds: D11
-- on: guarded
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM corpus.t';

-- name: member of a role that reads the server's files
-- finds: D26
GRANT pg_read_server_files TO corpus_app;

-- name: restrictive policy for another role only
-- finds: D07
-- on: uuid
CREATE POLICY e ON t USING (true);
CREATE POLICY f ON t AS RESTRICTIVE TO corpus_reports USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));

-- name: a quoted table and column
-- finds: D07
CREATE TABLE "Order Items" (org_id uuid NOT NULL, "lineNo" int NOT NULL, "isPublic" boolean, PRIMARY KEY (org_id, "lineNo"));
ALTER TABLE "Order Items" ENABLE ROW LEVEL SECURITY; ALTER TABLE "Order Items" FORCE ROW LEVEL SECURITY; GRANT SELECT ON "Order Items" TO corpus_app;
CREATE POLICY p ON "Order Items" USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR "isPublic" IS NOT FALSE);

-- name: a partition with a policy weaker than its parent's
-- finds: D07
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id)) PARTITION BY HASH (org_id);
CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; ALTER TABLE t_0 ENABLE ROW LEVEL SECURITY; ALTER TABLE t_0 FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));
CREATE POLICY p ON t_0 USING (true); GRANT SELECT ON t, t_0 TO corpus_app;

-- name: inserts only
-- finds: D08
CREATE TABLE t (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT INSERT ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)) WITH CHECK (org_id IS NOT NULL);

-- name: rows of no tenant, which all may read and write
-- finds: D08
CREATE TABLE t (org_id uuid, id int PRIMARY KEY, body text); CREATE INDEX ON t (org_id);
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;
CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid) OR org_id IS NULL);
