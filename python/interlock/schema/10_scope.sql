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

-- Hands a session over from one checkout to the next. Its last user may have been hostile: it is called after RESET ALL
-- and RESET ROLE, and still uses no operator and no unqualified name that a search_path could lead elsewhere. It is a
-- procedure because CALL needs no plan, so that it may be parsed anew for each checkout: whoever can send SQL can
-- replace a statement that has a name.
--
--   statements  how many prepared statements the client relies on, if the checkout before is to be ended; else NULL
--   nonce       what must be there to enter a checkout without ending another
--   settings    names and values of what the session shall be set to: what the application sets in every session, and
--               the scope to be entered, or a nonce to be left in a session that is ended and enters none
--
-- RESET ALL and RESET ROLE were sent by a name for which a statement prepared in SQL may have stood in. Such a statement
-- can stand in for one that the driver has cached, too; no reset removes it, and none brings back one that was dropped:
-- if one was made, or there are fewer than the client relies on, the session is refused. One that ran just now may have
-- dropped itself, and the number may still be right, since there are statements that the client does not count: but then
-- its name is missing, and SQL cannot bring it back as a statement that was not prepared in SQL.
CREATE OR REPLACE PROCEDURE interlock.hand_over(
    statements integer, nonce text, settings text[]
)
LANGUAGE plpgsql AS $$
DECLARE
    -- A temporary type may have the name of any that is not qualified.
    ignored pg_catalog.text;
    names pg_catalog.text[];
BEGIN
    IF statements IS NULL THEN
        IF NOT coalesce(pg_catalog.texteq(pg_catalog.current_setting('interlock.clean', true), nonce), false) THEN
            RAISE EXCEPTION USING ERRCODE = 'IL002', MESSAGE = 'the session was not reset';
        END IF;
    ELSE
        names := ARRAY(
            SELECT CASE WHEN s.from_sql THEN NULL ELSE s.name END FROM pg_catalog.pg_prepared_statement() AS s
        );
        IF pg_catalog.cardinality(names) OPERATOR(pg_catalog.<) statements
           OR pg_catalog.array_position(names, NULL) IS NOT NULL
           OR NOT names OPERATOR(pg_catalog.@>)
              '{interlock_settings,interlock_role,interlock_begin,interlock_commit}'::pg_catalog.text[] THEN
            RAISE EXCEPTION USING ERRCODE = 'IL001', MESSAGE = 'statements were prepared or dropped in SQL';
        END IF;
        -- Assignments are evaluated without a plan of their own, unlike PERFORM.
        ignored := pg_catalog.pg_advisory_unlock_all();
        EXECUTE 'CLOSE ALL';  -- plpgsql has a CLOSE of its own
        UNLISTEN *;
        DISCARD SEQUENCES;
        IF pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0 THEN
            -- Another session may have locked a temporary table.
            ignored := pg_catalog.set_config('lock_timeout', '5s', true);
            DISCARD TEMP;
        END IF;
    END IF;
    -- One expression for them all: an expression is made ready once in a transaction, which costs more than its value.
    FOR i IN 1 .. pg_catalog.cardinality(settings) BY 2 LOOP
        ignored := pg_catalog.set_config(settings[i], settings[i OPERATOR(pg_catalog.+) 1], false);
    END LOOP;
END
$$;
REVOKE ALL ON PROCEDURE interlock.hand_over(integer, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE interlock.hand_over(integer, text, text[])
    TO :"tenant_role", :"admin_role";

-- What earlier releases called instead.
DROP ROUTINE IF EXISTS interlock.enter(text, text, text, text), interlock.clean(text, text[]),
    interlock.clean(text, text[], integer), interlock.checkout(text, text, text, text, text[], integer),
    interlock.hand_over(integer, text[], text, text, text, text);
