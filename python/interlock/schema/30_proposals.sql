-- Proposals: what somebody wants done, at most once in flight for each content of an org.
--
-- For more than one machine's worth of rows, `SET interlock.partitions = '16'` on the owner's connection before the
-- first migration: the tables are then partitioned by hash of org_id. Later migrations keep what they find.

-- Tables ------------------------------------------------------------------------------------------------------------

DO $create$
DECLARE
  partitions CONSTANT integer := coalesce(nullif(current_setting('interlock.partitions', true), ''), '0')::integer;
  layout CONSTANT text := CASE WHEN partitions > 0 THEN ' PARTITION BY HASH (org_id)' ELSE '' END;
  parent text;
BEGIN
  IF to_regclass('interlock.proposals') IS NOT NULL THEN
    RETURN;
  END IF;

  EXECUTE $table$
    CREATE TABLE interlock.proposals (
      org_id        text COLLATE "C" NOT NULL,
      id            uuid NOT NULL DEFAULT gen_random_uuid(),
      kind          text COLLATE "C" NOT NULL,
      content_hash  bytea NOT NULL,
      cmd_hash      text COLLATE "C" NOT NULL,
      logical_keys  text[] NOT NULL DEFAULT '{}',
      display_id    text,
      state         text COLLATE "C" NOT NULL DEFAULT 'pending',
      attempt       integer NOT NULL DEFAULT 0,
      version       bigint NOT NULL DEFAULT 1,
      approved_by   text,
      approved_at   timestamptz,
      worker        text,
      lease_until   timestamptz,
      seen_count    bigint NOT NULL DEFAULT 1,
      first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      last_seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
      ended_at      timestamptz,
      target_state  bytea,
      canon_version smallint NOT NULL,
      changed_by    text,
      change_reason text,
      changed_in    xid8 NOT NULL DEFAULT pg_current_xact_id(),
      PRIMARY KEY (org_id, id)
    )
  $table$ || layout;

  -- Apart from the row that every state change copies. They go with it by a trigger: a foreign key would look up, for
  -- each payload, the proposal that was inserted just before it.
  EXECUTE $table$
    CREATE TABLE interlock.proposal_payloads (
      org_id      text COLLATE "C" NOT NULL,
      proposal_id uuid NOT NULL,
      canonical   bytea NOT NULL,
      context     bytea,
      PRIMARY KEY (org_id, proposal_id)
    )
  $table$ || layout;

  -- What the rows in flight act on. Rows leave when their proposal ends, so a busy target stays quick to look up.
  EXECUTE $table$
    CREATE TABLE interlock.proposal_targets (
      org_id      text COLLATE "C" NOT NULL,
      target      text COLLATE "C" NOT NULL,
      logical_key text COLLATE "C" NOT NULL,
      proposal_id uuid NOT NULL,
      PRIMARY KEY (org_id, target, logical_key, proposal_id)
    )
  $table$ || layout;

  FOREACH parent IN ARRAY ARRAY['proposals', 'proposal_payloads', 'proposal_targets'] LOOP
    FOR remainder IN 0 .. partitions - 1 LOOP
      EXECUTE format('CREATE TABLE interlock.%I PARTITION OF interlock.%I FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                     parent || '_' || remainder, parent, partitions, remainder);
    END LOOP;
  END LOOP;
END
$create$;

-- Indexes -----------------------------------------------------------------------------------------------------------

-- The guard itself. Its predicate holds every in-flight state and terminal states are absorbing, so no row ever
-- re-enters it. The hash stands before the kind, of which there are few: most comparisons end with it.
CREATE UNIQUE INDEX IF NOT EXISTS proposals_in_flight ON interlock.proposals (org_id, content_hash, kind)
  WHERE state IN ('pending', 'executing', 'interrupted');
CREATE INDEX IF NOT EXISTS proposals_cooling ON interlock.proposals (org_id, kind, content_hash, ended_at)
  WHERE state IN ('completed', 'cancelled');
CREATE INDEX IF NOT EXISTS proposals_claimable ON interlock.proposals (approved_at)
  WHERE state = 'pending' AND approved_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS proposals_leased ON interlock.proposals (lease_until)
  WHERE state IN ('pending', 'executing');
CREATE INDEX IF NOT EXISTS proposals_changed ON interlock.proposals (changed_in, org_id);

-- Room on the page keeps the update of seen_count, which no index covers, a heap-only one.
DO $storage$
DECLARE
  leaf regclass;
BEGIN
  FOR leaf IN SELECT relid FROM pg_partition_tree('interlock.proposals') WHERE isleaf LOOP
    EXECUTE format('ALTER TABLE %s SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, '
                   'autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02, '
                   'autovacuum_vacuum_insert_scale_factor = 0.05)', leaf);
  END LOOP;
  FOR leaf IN SELECT relid FROM pg_partition_tree('interlock.proposal_targets') WHERE isleaf LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0.02)', leaf);
  END LOOP;
END
$storage$;

-- Row-level security and grants -------------------------------------------------------------------------------------

DO $policies$
DECLARE
  protected text;
BEGIN
  FOREACH protected IN ARRAY ARRAY['proposals', 'proposal_payloads', 'proposal_targets'] LOOP
    EXECUTE format('ALTER TABLE interlock.%I ENABLE ROW LEVEL SECURITY', protected);
    EXECUTE format('ALTER TABLE interlock.%I FORCE ROW LEVEL SECURITY', protected);
    EXECUTE format('DROP POLICY IF EXISTS of_current_org ON interlock.%I', protected);
    -- Not in a sub-select, which costs more than it spares where a statement writes one row: it is a plan of its own, made
    -- ready for each of the six checks that an INSERT … ON CONFLICT DO UPDATE … RETURNING has.
    EXECUTE format('CREATE POLICY of_current_org ON interlock.%I '
                   'USING (org_id = nullif(current_setting(''app.current_org_id'', true), ''''))', protected);
  END LOOP;
END
$policies$;

-- What an insert can get wrong; guard_lifecycle checks what only an update can. A policy, because PostgreSQL reads the
-- text of a CHECK anew for every statement that writes a row.
ALTER TABLE interlock.proposals DROP CONSTRAINT IF EXISTS proposed;
DROP POLICY IF EXISTS proposed ON interlock.proposals;
CREATE POLICY proposed ON interlock.proposals AS RESTRICTIVE FOR INSERT
  WITH CHECK (octet_length(content_hash) = 32 AND lease_until IS NOT NULL);

-- `propose` takes back the row it inserted when the content cools down. Nothing older can be deleted.
DROP POLICY IF EXISTS only_own_insert ON interlock.proposals;
CREATE POLICY only_own_insert ON interlock.proposals AS RESTRICTIVE FOR DELETE
  USING (state = 'pending' AND changed_in = pg_current_xact_id());

DROP POLICY IF EXISTS only_without_proposal ON interlock.proposal_payloads;
CREATE POLICY only_without_proposal ON interlock.proposal_payloads AS RESTRICTIVE FOR DELETE
  USING (NOT EXISTS (SELECT FROM interlock.proposals p WHERE p.org_id = proposal_payloads.org_id AND p.id = proposal_id));

-- A row starts as an unapproved pending one, because the columns that say otherwise cannot be inserted.
-- No policy binds the admin role, which proposes nothing.
GRANT INSERT (org_id, kind, content_hash, cmd_hash, logical_keys, display_id, lease_until, seen_count, target_state,
              canon_version)
  ON interlock.proposals TO :"tenant_role";
REVOKE INSERT ON interlock.proposals FROM :"admin_role";
GRANT SELECT, DELETE ON interlock.proposals TO :"tenant_role", :"admin_role";
GRANT UPDATE (state, attempt, version, approved_by, approved_at, worker, lease_until, seen_count, last_seen_at,
              ended_at, changed_by, change_reason, changed_in)
  ON interlock.proposals TO :"tenant_role", :"admin_role";
GRANT SELECT, INSERT, DELETE ON interlock.proposal_payloads TO :"tenant_role", :"admin_role";
GRANT SELECT, INSERT, DELETE ON interlock.proposal_targets TO :"tenant_role", :"admin_role";

-- Lifecycle ---------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION interlock.may_become(earlier text, later text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT (earlier, later) IN (
    ('pending', 'executing'), ('pending', 'cancelled'), ('pending', 'expired'),
    ('executing', 'completed'), ('executing', 'failed'), ('executing', 'interrupted'),
    ('interrupted', 'executing'), ('interrupted', 'failed'), ('interrupted', 'cancelled'))
$$;

-- Whoever writes to the table, the transition table holds, and so does what belongs to each state.
CREATE OR REPLACE FUNCTION interlock.guard_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> NEW.state THEN
    IF NOT interlock.may_become(OLD.state, NEW.state) THEN
      RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.state, NEW.state
        USING ERRCODE = 'check_violation', CONSTRAINT = 'proposal_lifecycle';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.changed_in := pg_current_xact_id();
    IF NEW.state IN ('completed', 'failed', 'cancelled', 'expired') THEN
      NEW.ended_at := clock_timestamp();
      NEW.lease_until := NULL;
    ELSIF NEW.state = 'interrupted' THEN
      NEW.lease_until := NULL;
    ELSE
      NEW.attempt := OLD.attempt + 1;
    END IF;
  END IF;
  -- An execution is approved by somebody. A stuck row must not hold its key for ever, so it has a lease; an interrupted
  -- one waits for the operator's decision.
  IF (NEW.approved_by IS NULL) <> (NEW.approved_at IS NULL)
     OR (NEW.state = 'executing' AND NEW.approved_at IS NULL)
     OR (NEW.state IN ('pending', 'executing')) <> (NEW.lease_until IS NOT NULL)
     OR (NEW.state IN ('completed', 'failed', 'cancelled', 'expired')) <> (NEW.ended_at IS NOT NULL) THEN
    RAISE EXCEPTION 'approval, lease or end of a proposal do not fit the state %', NEW.state
      USING ERRCODE = 'check_violation', CONSTRAINT = 'proposal_state';
  END IF;
  RETURN NEW;
END
$$;

-- A logical key without its verb: what `related` compares.
CREATE OR REPLACE FUNCTION interlock.target_of(logical_key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substr(logical_key, strpos(logical_key, ':') + 1)
$$;

CREATE OR REPLACE FUNCTION interlock.record_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  key text;
BEGIN
  IF NEW.ended_at IS NOT NULL THEN
    FOREACH key IN ARRAY NEW.logical_keys LOOP
      DELETE FROM interlock.proposal_targets t
        WHERE t.org_id = NEW.org_id AND t.target = interlock.target_of(key) AND t.logical_key = key
          AND t.proposal_id = NEW.id;
    END LOOP;
  END IF;
  -- In the same transaction as the change it tells of, whoever made it.
  INSERT INTO interlock.audit (org_id, actor, action, subject, details) VALUES (
    NEW.org_id, NEW.changed_by,
    'proposal.' || CASE WHEN NEW.state = OLD.state THEN 'approved' ELSE NEW.state END, NEW.id::text,
    jsonb_build_object('from', OLD.state, 'to', NEW.state, 'reason', NEW.change_reason, 'attempt', NEW.attempt));
  PERFORM pg_notify('interlock_proposals', '');
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS guard_lifecycle ON interlock.proposals;
CREATE TRIGGER guard_lifecycle BEFORE UPDATE OF state, approved_by, approved_at, lease_until, ended_at
  ON interlock.proposals FOR EACH ROW EXECUTE FUNCTION interlock.guard_lifecycle();
DROP TRIGGER IF EXISTS record_lifecycle ON interlock.proposals;
CREATE TRIGGER record_lifecycle AFTER UPDATE OF state, approved_at ON interlock.proposals
  FOR EACH ROW EXECUTE FUNCTION interlock.record_lifecycle();

CREATE OR REPLACE FUNCTION interlock.forget_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM interlock.proposal_payloads l WHERE l.org_id = OLD.org_id AND l.proposal_id = OLD.id;
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS forget_proposal ON interlock.proposals;
CREATE TRIGGER forget_proposal AFTER DELETE ON interlock.proposals
  FOR EACH ROW EXECUTE FUNCTION interlock.forget_proposal();
