-- Who a session works for. Run by interlock.schema.migrate, or by psql -v tenant_role=… -v admin_role=….

-- CREATE SCHEMA IF NOT EXISTS would ask for the right to create one even where it exists.
DO $$
BEGIN
    IF to_regnamespace('interlock') IS NULL THEN
        CREATE SCHEMA interlock;
    END IF;
END
$$;
REVOKE ALL ON SCHEMA interlock FROM PUBLIC;
GRANT USAGE ON SCHEMA interlock TO :"tenant_role", :"admin_role";

-- --- the seal of a tamper-evident scope

-- HMAC-SHA256 keys as their two pads (RFC 2104), because PostgreSQL has sha256() but no HMAC without an extension.
-- Never in a function body: pg_proc.prosrc is readable by everybody.
CREATE TABLE IF NOT EXISTS interlock.scope_keys (
    id text PRIMARY KEY,
    inner_pad bytea NOT NULL CHECK (octet_length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (octet_length(outer_pad) = 64),
    added_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Default privileges of the owner may have granted something.
REVOKE ALL ON interlock.scope_keys FROM PUBLIC, :"tenant_role", :"admin_role";

-- The org of this session, if the seal beside it verifies; else SQLSTATE 42501. It never returns NULL.
-- In a policy, call it inside a sub-select, so that it runs once per statement and not once per row:
--     USING (org_id = (SELECT interlock.current_org()))
-- PARALLEL RESTRICTED: a worker has another process id than the backend that the seal is bound to.
CREATE OR REPLACE FUNCTION interlock.current_org(setting text DEFAULT 'app.current_org_id') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    org text := current_setting(setting, true);
    seal text[] := string_to_array(current_setting('interlock.seal', true), '.');  -- key id, expiry, mac
    mac text;
BEGIN
    IF org IS NULL OR org = '' THEN
        RAISE insufficient_privilege USING MESSAGE = 'no tenant scope in this session',
            HINT = 'Acquire the connection inside tenant_scope(org_id).';
    END IF;
    SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(
               format('interlock.scope.1|%s|%s|%s', pg_backend_pid(), seal[2], org), 'UTF8'))), 'hex')
      INTO mac FROM interlock.scope_keys AS k WHERE k.id = seal[1];
    -- Digests are compared, so that the time taken tells nothing about a prefix that matches.
    IF mac IS NULL OR cardinality(seal) <> 3
       OR sha256(convert_to(mac, 'UTF8')) <> sha256(convert_to(seal[3], 'UTF8')) THEN
        RAISE insufficient_privilege USING MESSAGE = 'the tenant scope of this session is not sealed',
            HINT = 'The setting was changed by a statement, or the key is not one that migrate() installed.';
    END IF;
    -- Cast only now: what verifies was written by a key holder.
    IF seal[2]::bigint <= extract(epoch FROM clock_timestamp()) THEN
        RAISE insufficient_privilege USING MESSAGE = 'the seal of this tenant scope has expired',
            HINT = 'Seals live five minutes: compare the clocks of the application and the database.';
    END IF;
    RETURN org;
END
$$;
REVOKE ALL ON FUNCTION interlock.current_org(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION interlock.current_org(text) TO :"tenant_role";

-- --- the pipelined checkout

-- These run in a session whose last user may have been hostile. They are called after RESET ALL, and still use no
-- operator and no unqualified name that a search_path could lead elsewhere.

-- Enters the scope of an org, if the reset before it has run to its end: only then does the session know the nonce.
CREATE OR REPLACE FUNCTION interlock.enter(nonce text, org text, seal text, setting text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    IF NOT coalesce(pg_catalog.texteq(pg_catalog.current_setting('interlock.clean', true), nonce), false) THEN
        RAISE EXCEPTION USING ERRCODE = 'IL002', MESSAGE = 'the session was not reset';
    END IF;
    -- Assignments are evaluated without a plan of their own, unlike PERFORM.
    ignored := pg_catalog.set_config(setting, org, false);
    IF NOT pg_catalog.texteq(setting, 'app.current_org_id') THEN
        -- The policies of Interlock's own tables read this one.
        ignored := pg_catalog.set_config('app.current_org_id', org, false);
    END IF;
    ignored := pg_catalog.set_config('interlock.seal', seal, false);
END
$$;

-- Ends a checkout. RESET ROLE and RESET ALL were sent just before, but by a name for which a statement prepared in SQL
-- may have stood in. Such a statement can stand in for one that the driver has cached, too; no reset removes it, and
-- none brings back one that was dropped: if one was made, or there are fewer than the driver relies on, the session is
-- refused.
DROP FUNCTION IF EXISTS interlock.clean(text, text[]);
CREATE OR REPLACE FUNCTION interlock.clean(nonce text, settings text[], statements integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    RESET ALL;
    RESET ROLE;
    ignored := pg_catalog.set_config('lock_timeout', '5s', true);  -- another session may have locked a temporary table
    IF (SELECT coalesce(pg_catalog.bool_or(s.from_sql), false)
            OR pg_catalog.count(*) OPERATOR(pg_catalog.<) statements
        FROM pg_catalog.pg_prepared_statement() AS s) THEN
        RAISE EXCEPTION USING ERRCODE = 'IL001', MESSAGE = 'statements were prepared or dropped in SQL';
    END IF;
    ignored := pg_catalog.pg_advisory_unlock_all();
    EXECUTE 'CLOSE ALL';  -- plpgsql has a CLOSE of its own
    UNLISTEN *;
    DISCARD TEMP;
    DISCARD SEQUENCES;
    FOR i IN 1 .. coalesce(pg_catalog.cardinality(settings), 0) BY 2 LOOP
        ignored := pg_catalog.set_config(settings[i], settings[i OPERATOR(pg_catalog.+) 1], false);
    END LOOP;
    ignored := pg_catalog.set_config('interlock.clean', nonce, false);
END
$$;

-- Begins a checkout, and ends the one before unless that is done already (statements is NULL then). A procedure,
-- because CALL needs no plan: it is parsed anew for each checkout, since a statement with a name could be replaced.
CREATE OR REPLACE PROCEDURE interlock.checkout(
    nonce text, org text, seal text, setting text, settings text[], statements integer
)
LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    IF statements IS NOT NULL THEN
        ignored := interlock.clean(nonce, settings, statements);
    END IF;
    ignored := interlock.enter(nonce, org, seal, setting);
END
$$;

REVOKE ALL ON ROUTINE interlock.enter(text, text, text, text), interlock.clean(text, text[], integer),
    interlock.checkout(text, text, text, text, text[], integer) FROM PUBLIC;
GRANT EXECUTE ON ROUTINE interlock.enter(text, text, text, text), interlock.clean(text, text[], integer),
    interlock.checkout(text, text, text, text, text[], integer) TO :"tenant_role", :"admin_role";
