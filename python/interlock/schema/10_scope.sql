-- Who a session works for. Run by interlock.schema.migrate, or by psql -v tenant_role=… -v admin_role=….

SELECT set_config('interlock.tenant_role', :'tenant_role', false);
DO $$
DECLARE
    tenant text := current_setting('interlock.tenant_role');
    ours text;
BEGIN
    FOREACH ours IN ARRAY '{interlock,interlock_session}'::text[] LOOP
        -- CREATE SCHEMA IF NOT EXISTS would ask for the right to create one even where it exists.
        IF to_regnamespace(ours) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I', ours);
        ELSIF EXISTS (
            SELECT FROM pg_namespace AS n LEFT JOIN pg_proc AS p ON p.pronamespace = n.oid
            WHERE n.nspname = ours
              AND (pg_has_role(tenant, n.nspowner, 'MEMBER') OR pg_has_role(tenant, p.proowner, 'MEMBER'))
        ) THEN
            -- One who can create schemas may have been here first, and would own what is replaced below.
            RAISE EXCEPTION 'the schema %, or a routine in it, belongs to the runtime role %', ours, tenant
                USING HINT = 'Drop it, and let another role own what the runtime role calls.';
        END IF;
    END LOOP;
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

-- Both are procedures because CALL needs no plan: they may be parsed anew for each checkout. Whoever can send SQL can
-- replace a statement that has a name. The session may be in any role that its last user could take, and under any
-- settings: so they are for everybody, in a schema of their own, do nothing that everybody could not do by other means,
-- and use no operator and no unqualified name that a search_path could lead elsewhere.
REVOKE ALL ON SCHEMA interlock_session FROM PUBLIC, :"tenant_role", :"admin_role";
GRANT USAGE ON SCHEMA interlock_session TO PUBLIC;

-- Ends the checkout before, whose user may have been hostile, and makes the settings of what follows: names and values,
-- at least one; those that the application makes in every session, and the scope, or the nonce that enter() asks for.
--
-- A statement prepared in SQL can stand in for one that the client has prepared, and no reset removes it: the session is
-- refused. That one that is missing was dropped, the client finds out itself: it misses its own COMMIT at once, and one
-- of the driver's when it is used.
CREATE OR REPLACE PROCEDURE interlock_session.hand_over(settings text[])
LANGUAGE plpgsql AS $$
DECLARE
    -- A temporary type may have the name of any that is not qualified.
    ignored pg_catalog.text;
BEGIN
    RESET ALL;  -- first: no timeout of the last user shall bear on what follows
    RESET ROLE;
    PERFORM FROM pg_catalog.pg_prepared_statement() AS s WHERE s.from_sql;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'IL001', MESSAGE = 'statements were prepared in SQL';
    END IF;
    EXECUTE 'CLOSE ALL';  -- plpgsql has a CLOSE of its own
    UNLISTEN *;
    DISCARD SEQUENCES;
    -- One expression for both, and one for what is seldom so: each is made ready anew in every transaction, which costs
    -- more than its value.
    ignored := pg_catalog.concat(
        pg_catalog.pg_advisory_unlock_all(), pg_catalog.set_config(settings[1], settings[2], false)
    );
    IF pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0
       OR pg_catalog.cardinality(settings) OPERATOR(pg_catalog.>) 2 THEN
        IF pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0 THEN
            -- It runs no code of the last user's, but another session may have locked a temporary table.
            ignored := pg_catalog.set_config('lock_timeout', '5s', true);
            DISCARD TEMP;
        END IF;
        FOR i IN 3 .. pg_catalog.cardinality(settings) BY 2 LOOP
            ignored := pg_catalog.set_config(settings[i], settings[i OPERATOR(pg_catalog.+) 1], false);
        END LOOP;
    END IF;
END
$$;
GRANT EXECUTE ON PROCEDURE interlock_session.hand_over(text[]) TO PUBLIC;

-- Begins a checkout in a session that hand_over() has left with this nonce, and with nobody's scope.
CREATE OR REPLACE PROCEDURE interlock_session.enter(nonce text, settings text[])
LANGUAGE plpgsql AS $$
DECLARE
    ignored pg_catalog.text;
BEGIN
    IF NOT coalesce(pg_catalog.texteq(pg_catalog.current_setting('interlock.clean', true), nonce), false) THEN
        RAISE EXCEPTION USING ERRCODE = 'IL002', MESSAGE = 'the session was not reset';
    END IF;
    FOR i IN 1 .. pg_catalog.cardinality(settings) BY 2 LOOP
        ignored := pg_catalog.set_config(settings[i], settings[i OPERATOR(pg_catalog.+) 1], false);
    END LOOP;
END
$$;
GRANT EXECUTE ON PROCEDURE interlock_session.enter(text, text[]) TO PUBLIC;

-- What earlier releases called instead.
DROP ROUTINE IF EXISTS interlock.enter(text, text, text, text), interlock.clean(text, text[]),
    interlock.clean(text, text[], integer), interlock.checkout(text, text, text, text, text[], integer),
    interlock.hand_over(integer, text[], text, text, text, text), interlock.hand_over(integer, text, text[]);
