-- What is done with proposals. Each function runs with the rights of its caller, so row-level security applies inside.
--
-- A session keeps its plans, and one made while a table was small must serve when it is large. What every proposal runs
-- leaves the planner no choice, if enable_seqscan is off: an insert with its arbiter index, a whole primary key, or a table
-- with one index. The rest is planned for each call, which sees the size that the tables have.

-- Propose -----------------------------------------------------------------------------------------------------------

-- What a proposal is answered with: the row that stands for it, which is 'new', 'in_flight' or in its 'cooldown', and for a
-- new one its neighbours: rows in flight with one of its logical keys ('cluster'), or on its target with another verb
-- ('related'). `place` is that of the proposal in its batch. A type of its own, and flat: for columns of a function, and
-- for a row in a column, the server would look each of them up in every call.
DO $type$
BEGIN
  IF to_regtype('interlock.proposal_answer') IS NULL THEN
    CREATE TYPE interlock.proposal_answer AS (
      place integer, relation text, id uuid, org_id text, kind text, content_hash bytea, cmd_hash text,
      logical_keys text[], display_id text, state text, attempt integer, version bigint, approved_by text,
      approved_at timestamptz, lease_until timestamptz, seen_count bigint, first_seen_at timestamptz,
      last_seen_at timestamptz, canon_version smallint);
  END IF;
END
$type$;

CREATE OR REPLACE FUNCTION interlock.answer_of(place integer, relation text, p interlock.proposals)
RETURNS interlock.proposal_answer LANGUAGE sql STABLE AS $$
  SELECT place, relation, p.id, p.org_id, p.kind, p.content_hash, p.cmd_hash, p.logical_keys, p.display_id, p.state,
         p.attempt, p.version, p.approved_by, p.approved_at, p.lease_until, p.seen_count, p.first_seen_at,
         p.last_seen_at, p.canon_version
$$;

-- Acts for `org`, whatever the scope of the session is, which it has again afterwards: a session that serves nothing else
-- needs neither to be brought into a scope nor out of one. `repeats` is how often a batch holds the proposal.
CREATE OR REPLACE FUNCTION interlock.propose(
  org text, place integer, of_kind text, hash bytea, former_hash bytea, short_hash text, own_keys text[], label text,
  canonical_form bytea, canonical_context bytea, fingerprint bytea, repeats integer, canon smallint,
  lease interval, cooldown interval, neighbours integer
) RETURNS SETOF interlock.proposal_answer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  scope CONSTANT text := current_setting('app.current_org_id', true);
  entered CONSTANT text := set_config('app.current_org_id', org, true);
  restored text;
  answer interlock.proposal_answer;
  rounds integer;
  key text;
  has_neighbours boolean;
BEGIN
  -- Each statement has its own snapshot under READ COMMITTED, which one statement with several CTEs would not have.
  LOOP
    -- Waits for an uncommitted rival, and goes on if that one rolls back.
    INSERT INTO interlock.proposals AS p
        (org_id, kind, content_hash, cmd_hash, logical_keys, display_id, lease_until, seen_count, target_state,
         canon_version)
      VALUES (org, of_kind, hash, short_hash, own_keys, label, clock_timestamp() + lease, repeats, fingerprint, canon)
      ON CONFLICT (org_id, kind, content_hash) WHERE state IN ('pending', 'executing', 'interrupted')
      DO UPDATE SET seen_count = p.seen_count + excluded.seen_count, last_seen_at = clock_timestamp()
        WHERE p.lease_until IS NULL OR p.lease_until > clock_timestamp()
      RETURNING place, CASE WHEN p.seen_count > repeats THEN 'in_flight' ELSE 'new' END, p.id, p.org_id, p.kind,
        p.content_hash, p.cmd_hash, p.logical_keys, p.display_id, p.state, p.attempt, p.version, p.approved_by,
        p.approved_at, p.lease_until, p.seen_count, p.first_seen_at, p.last_seen_at, p.canon_version
      INTO answer;
    EXIT WHEN FOUND;
    rounds := coalesce(rounds, 0) + 1;
    IF rounds = 5 THEN
      RAISE EXCEPTION 'the proposal kept ending while it was proposed' USING ERRCODE = 'serialization_failure';
    END IF;
    PERFORM interlock.let_lapse(org, of_kind, hash);
  END LOOP;

  <<keeping>>
  BEGIN
    EXIT keeping WHEN answer.relation <> 'new';
    IF cooldown IS NOT NULL OR former_hash IS NOT NULL THEN
      answer := interlock.yield_to_earlier(answer, former_hash, fingerprint, cooldown);
      EXIT keeping WHEN answer.relation <> 'new';
    END IF;
    INSERT INTO interlock.proposal_payloads (org_id, proposal_id, canonical, context)
      VALUES (org, answer.id, canonical_form, canonical_context);
    NOTIFY interlock_proposals;
    FOREACH key IN ARRAY own_keys LOOP
      INSERT INTO interlock.proposal_targets AS own (org_id, target, logical_key, proposal_id)
        VALUES (org, interlock.target_of(key), key, answer.id)
        RETURNING has_neighbours OR EXISTS (
          SELECT FROM interlock.proposal_targets t
          WHERE t.org_id = own.org_id AND t.target = own.target AND t.proposal_id <> own.proposal_id)
        INTO has_neighbours;
    END LOOP;
  END;
  RETURN NEXT answer;
  IF has_neighbours THEN
    RETURN QUERY SELECT * FROM interlock.neighbours_of(answer, neighbours);
  END IF;
  restored := set_config('app.current_org_id', scope, true);
END
$$;

DO $earlier$
BEGIN
  -- Of the same name and arguments in earlier releases, with another answer.
  IF EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'interlock'::regnamespace AND proname = 'propose_many'
             AND prorettype <> 'interlock.proposal_answer'::regtype) THEN
    DROP FUNCTION interlock.propose_many(
      text, text[], bytea[], bytea[], text[], text[], integer[], text[], bytea[], bytea[], bytea[], integer[], smallint,
      interval, interval, integer);
  END IF;
END
$earlier$;

-- The arrays hold one element a proposal, in (kind, content_hash) order, so that two batches lock alike; the logical
-- keys of all stand in `keys`, those of a proposal end at its place in `last_keys`.
CREATE OR REPLACE FUNCTION interlock.propose_many(
  org text, kinds text[], hashes bytea[], former_hashes bytea[], short_hashes text[], keys text[], last_keys integer[],
  labels text[], canonical_forms bytea[], canonical_contexts bytea[], fingerprints bytea[], repeats integer[],
  canon smallint, lease interval, cooldown interval, neighbours integer
) RETURNS SETOF interlock.proposal_answer LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. cardinality(kinds) LOOP
    RETURN QUERY SELECT * FROM interlock.propose(
      org, i, kinds[i], hashes[i], former_hashes[i], short_hashes[i],
      keys[coalesce(last_keys[i - 1], 0) + 1 : last_keys[i]], labels[i], canonical_forms[i], canonical_contexts[i],
      fingerprints[i], repeats[i], canon, lease, cooldown, neighbours);
  END LOOP;
END
$$;

-- Lets the lease of the row that holds a content lapse, if it is over.
CREATE OR REPLACE FUNCTION interlock.let_lapse(org text, of_kind text, hash bytea) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  UPDATE interlock.proposals p
    SET state = CASE p.state WHEN 'pending' THEN 'expired' ELSE 'interrupted' END,
        changed_by = 'interlock', change_reason = 'lease lapsed'
    WHERE p.org_id = org AND p.kind = of_kind AND p.content_hash = hash
      AND p.state IN ('pending', 'executing') AND p.lease_until <= clock_timestamp();
END
$$;

-- Takes the row just inserted back if an earlier one stands for its content: one in flight under the hash that an
-- earlier canonical form gave it, or one that ended recently. The key is held meanwhile, so that no rival proposes it.
CREATE OR REPLACE FUNCTION interlock.yield_to_earlier(
  inserted interlock.proposal_answer, former bytea, fingerprint bytea, cooldown interval
) RETURNS interlock.proposal_answer LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  earlier interlock.proposals;
  reason text;
  hash bytea;
BEGIN
  IF former IS NOT NULL THEN
    PERFORM interlock.let_lapse(inserted.org_id, inserted.kind, former);
    UPDATE interlock.proposals p
      SET seen_count = p.seen_count + inserted.seen_count, last_seen_at = clock_timestamp()
      WHERE p.org_id = inserted.org_id AND p.kind = inserted.kind AND p.content_hash = former
        AND p.state IN ('pending', 'executing', 'interrupted')
      RETURNING p.* INTO earlier;
    reason := CASE WHEN FOUND THEN 'in_flight' END;
  END IF;
  FOREACH hash IN ARRAY ARRAY[inserted.content_hash, former] LOOP
    EXIT WHEN reason IS NOT NULL OR cooldown IS NULL;
    UPDATE interlock.proposals p
      SET seen_count = p.seen_count + inserted.seen_count, last_seen_at = clock_timestamp()
      WHERE (p.org_id, p.id) = (
        SELECT e.org_id, e.id FROM interlock.proposals e
        WHERE e.org_id = inserted.org_id AND e.kind = inserted.kind AND e.content_hash = hash
          AND e.state IN ('completed', 'cancelled') AND e.ended_at > clock_timestamp() - cooldown
          AND e.target_state IS NOT DISTINCT FROM fingerprint
        ORDER BY e.ended_at DESC LIMIT 1)
      RETURNING p.* INTO earlier;
    reason := CASE WHEN FOUND THEN 'cooldown' END;
  END LOOP;
  IF reason IS NULL THEN
    RETURN inserted;
  END IF;
  DELETE FROM interlock.proposals p WHERE p.org_id = inserted.org_id AND p.id = inserted.id;
  RETURN interlock.answer_of(inserted.place, reason, earlier);
END
$$;

-- Each verb is looked up on its own, so that its part of the index is all that is read; what lies between the
-- proposal's own verbs is related to it.
CREATE OR REPLACE FUNCTION interlock.neighbours_of(proposed interlock.proposal_answer, at_most integer)
RETURNS SETOF interlock.proposal_answer LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  found CONSTANT uuid[] := ARRAY(
    SELECT near.proposal_id
    FROM (SELECT key, interlock.target_of(key) AS target, lag(key) OVER verbs AS earlier, lead(key) OVER verbs AS later
          FROM unnest(proposed.logical_keys) AS key
          WINDOW verbs AS (PARTITION BY interlock.target_of(key) ORDER BY key COLLATE "C")) AS own, LATERAL (
      (SELECT t.proposal_id FROM interlock.proposal_targets t
       WHERE t.org_id = proposed.org_id AND t.target = own.target AND t.logical_key = own.key
         AND t.proposal_id <> proposed.id LIMIT at_most)
      UNION ALL
      (SELECT t.proposal_id FROM interlock.proposal_targets t
       WHERE t.org_id = proposed.org_id AND t.target = own.target AND t.logical_key < own.key
         AND t.logical_key > coalesce(own.earlier, '') LIMIT at_most)
      UNION ALL
      (SELECT t.proposal_id FROM interlock.proposal_targets t
       WHERE own.later IS NULL AND t.org_id = proposed.org_id AND t.target = own.target AND t.logical_key > own.key
       LIMIT at_most)) AS near);
BEGIN
  RETURN QUERY
    -- Apart from the conditions on the state, which would make the partial indexes look useful.
    WITH near AS MATERIALIZED (
      SELECT p FROM interlock.proposals p WHERE p.org_id = proposed.org_id AND p.id = ANY (found))
    SELECT a.*
    FROM near n, LATERAL interlock.answer_of(
      proposed.place, CASE WHEN (n.p).logical_keys && proposed.logical_keys THEN 'cluster' ELSE 'related' END, n.p) AS a
    WHERE a.state IN ('pending', 'executing', 'interrupted')
      AND (a.state <> 'pending' OR a.lease_until > clock_timestamp())
    ORDER BY a.first_seen_at, a.id;
END
$$;

-- Decide, execute, end ----------------------------------------------------------------------------------------------

-- Locks one row and lets its lease lapse if it is time, so that what follows judges the state it really has.
CREATE OR REPLACE FUNCTION interlock.lock_proposal(wanted uuid) RETURNS interlock.proposals
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  proposal interlock.proposals;
BEGIN
  SELECT p.* INTO proposal FROM interlock.proposals p
    WHERE p.org_id = nullif(current_setting('app.current_org_id', true), '') AND p.id = wanted FOR UPDATE;
  IF proposal.lease_until <= clock_timestamp() THEN
    UPDATE interlock.proposals p
      SET state = CASE p.state WHEN 'pending' THEN 'expired' ELSE 'interrupted' END,
          changed_by = 'interlock', change_reason = 'lease lapsed'
      WHERE p.org_id = proposal.org_id AND p.id = proposal.id
      RETURNING p.* INTO proposal;
  END IF;
  RETURN proposal;
END
$$;

-- verdict: 'approved' (also when it already was), 'illegal' or 'unknown'.
CREATE OR REPLACE FUNCTION interlock.approve(wanted uuid, operator text)
RETURNS TABLE (verdict text, proposal interlock.proposals) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  proposal := interlock.lock_proposal(wanted);
  verdict := CASE WHEN proposal.id IS NULL THEN 'unknown' WHEN proposal.state <> 'pending' THEN 'illegal'
             ELSE 'approved' END;
  IF verdict = 'approved' AND proposal.approved_at IS NULL THEN
    UPDATE interlock.proposals p
      SET approved_by = operator, approved_at = clock_timestamp(), version = p.version + 1,
          changed_in = pg_current_xact_id(), changed_by = operator, change_reason = 'approved'
      WHERE p.org_id = proposal.org_id AND p.id = proposal.id
      RETURNING p.* INTO proposal;
  END IF;
  RETURN NEXT;
END
$$;

-- verdict: 'moved', 'stale', 'illegal' or 'unknown'. Who moves a row to executing by hand thereby approves it.
CREATE OR REPLACE FUNCTION interlock.transition(
  wanted uuid, later text, known_attempt integer, operator text, reason text, lease interval
) RETURNS TABLE (verdict text, proposal interlock.proposals) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  starts CONSTANT boolean := later = 'executing';
BEGIN
  proposal := interlock.lock_proposal(wanted);
  verdict := CASE WHEN proposal.id IS NULL THEN 'unknown'
                  WHEN known_attempt <> proposal.attempt THEN 'stale'
                  WHEN interlock.may_become(proposal.state, later) THEN 'moved'
                  ELSE 'illegal' END;
  IF verdict = 'moved' THEN
    UPDATE interlock.proposals p
      SET state = later, changed_by = operator, change_reason = reason,
          approved_by = CASE WHEN starts THEN operator ELSE p.approved_by END,
          approved_at = CASE WHEN starts THEN clock_timestamp() ELSE p.approved_at END,
          lease_until = CASE WHEN starts THEN clock_timestamp() + lease ELSE p.lease_until END
      WHERE p.org_id = proposal.org_id AND p.id = proposal.id
      RETURNING p.* INTO proposal;
  END IF;
  RETURN NEXT;
END
$$;

-- Under the admin role it serves every org, oldest approval first.
CREATE OR REPLACE FUNCTION interlock.claim(claimant text, at_most integer, lease interval)
RETURNS SETOF interlock.proposals
LANGUAGE sql SET plan_cache_mode = force_custom_plan AS $$
  WITH claimed AS MATERIALIZED (
    SELECT c.org_id, c.id FROM interlock.proposals c
    WHERE c.state = 'pending' AND c.approved_at IS NOT NULL AND c.lease_until > clock_timestamp()
    ORDER BY c.approved_at LIMIT at_most FOR UPDATE SKIP LOCKED)
  UPDATE interlock.proposals p
    SET state = 'executing', worker = claimant, lease_until = clock_timestamp() + lease,
        changed_by = claimant, change_reason = 'claimed'
    FROM claimed WHERE p.org_id = claimed.org_id AND p.id = claimed.id
    RETURNING p.*
$$;

-- Under the admin role it serves every org. The action of a lapsed executing row may have run: the operator decides.
CREATE OR REPLACE FUNCTION interlock.expire(at_most integer) RETURNS SETOF interlock.proposals
LANGUAGE sql SET plan_cache_mode = force_custom_plan AS $$
  WITH lapsed AS MATERIALIZED (
    SELECT l.org_id, l.id FROM interlock.proposals l
    WHERE l.state IN ('pending', 'executing') AND l.lease_until <= clock_timestamp()
    ORDER BY l.lease_until LIMIT at_most FOR UPDATE SKIP LOCKED)
  UPDATE interlock.proposals p
    SET state = CASE p.state WHEN 'pending' THEN 'expired' ELSE 'interrupted' END,
        changed_by = 'interlock', change_reason = 'lease lapsed'
    FROM lapsed WHERE p.org_id = lapsed.org_id AND p.id = lapsed.id
    RETURNING p.*
$$;

-- What earlier releases called instead.
DROP FUNCTION IF EXISTS
  interlock.propose(text, text, bytea, bytea, text, text[], text, bytea, bytea, bytea, integer, smallint, interval, interval,
                    integer),
  interlock.yield_to_earlier(interlock.proposals, bytea, interval),
  interlock.neighbours_of(interlock.proposals, integer);
