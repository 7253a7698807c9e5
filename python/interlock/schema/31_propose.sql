-- What is done with proposals. Each function runs with the rights of its caller, so row-level security applies inside.
-- A session keeps its plans: one made while a table was small must not scan it when it is large, hence enable_seqscan.

-- Propose -----------------------------------------------------------------------------------------------------------

-- Each statement has its own snapshot under READ COMMITTED, which one statement with several CTEs would not have.
CREATE OR REPLACE FUNCTION interlock.propose_one(
  proposed interlock.proposals, lease interval, cooldown interval, OUT relation text, OUT proposal interlock.proposals
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  FOR round IN 1 .. 5 LOOP
    UPDATE interlock.proposals p
      SET state = 'expired', changed_by = 'interlock', change_reason = 'lease lapsed'
      WHERE p.org_id = proposed.org_id AND p.kind = proposed.kind AND p.content_hash = proposed.content_hash
        AND p.state = 'pending' AND p.lease_until <= clock_timestamp();

    -- Waits for an uncommitted rival, and goes on if that one rolls back.
    INSERT INTO interlock.proposals AS p
        (org_id, kind, content_hash, cmd_hash, logical_keys, display_id, lease_until, seen_count, target_state,
         canon_version)
      VALUES (proposed.org_id, proposed.kind, proposed.content_hash, proposed.cmd_hash, proposed.logical_keys,
              proposed.display_id, clock_timestamp() + lease, proposed.seen_count, proposed.target_state,
              proposed.canon_version)
      ON CONFLICT (org_id, kind, content_hash) WHERE state IN ('pending', 'executing', 'interrupted') DO NOTHING
      RETURNING p.* INTO proposal;
    IF FOUND THEN
      relation := 'new';
      IF cooldown IS NULL THEN
        RETURN;
      END IF;
      -- The key is held now, so what ended recently is not about to be proposed again by a rival.
      UPDATE interlock.proposals p
        SET seen_count = p.seen_count + proposed.seen_count, last_seen_at = clock_timestamp()
        WHERE (p.org_id, p.id) = (
          SELECT e.org_id, e.id FROM interlock.proposals e
          WHERE e.org_id = proposed.org_id AND e.kind = proposed.kind AND e.content_hash = proposed.content_hash
            AND e.state IN ('completed', 'cancelled') AND e.ended_at > clock_timestamp() - cooldown
            AND e.target_state IS NOT DISTINCT FROM proposed.target_state
          ORDER BY e.ended_at DESC LIMIT 1)
        RETURNING p.* INTO proposed;
      IF FOUND THEN
        DELETE FROM interlock.proposals p WHERE p.org_id = proposal.org_id AND p.id = proposal.id;
        relation := 'cooldown';
        proposal := proposed;
      END IF;
      RETURN;
    END IF;

    UPDATE interlock.proposals p
      SET seen_count = p.seen_count + proposed.seen_count, last_seen_at = clock_timestamp()
      WHERE p.org_id = proposed.org_id AND p.kind = proposed.kind AND p.content_hash = proposed.content_hash
        AND p.state IN ('pending', 'executing', 'interrupted')
      RETURNING p.* INTO proposal;
    IF FOUND THEN
      relation := 'in_flight';
      RETURN;
    END IF;
    -- It left the set between the two statements: again.
  END LOOP;
  RAISE EXCEPTION 'the proposal kept ending while it was proposed' USING ERRCODE = 'serialization_failure';
END
$$;

-- The arrays hold one element a proposal, in (kind, content_hash) order, so that two batches lock alike; `repeats` is
-- how often the batch holds it. Answers one row for each place ('new', 'in_flight', 'cooldown'), and for a new one its
-- neighbours: rows in flight with one of its logical keys ('cluster'), or on its target with another verb ('related').
CREATE OR REPLACE FUNCTION interlock.propose(
  kinds text[], content_hashes bytea[], cmd_hashes text[], key_lists jsonb[], display_ids text[], canonicals bytea[],
  contexts bytea[], target_states bytea[], repeats integer[], canon smallint, lease interval, cooldown interval,
  neighbours integer
) RETURNS TABLE (place integer, relation text, proposal interlock.proposals) LANGUAGE plpgsql AS $$
DECLARE
  proposed interlock.proposals;
  answer record;
BEGIN
  proposed.org_id := nullif(current_setting('app.current_org_id', true), '');
  proposed.canon_version := canon;
  FOR i IN 1 .. cardinality(kinds) LOOP
    place := i;
    proposed.kind := kinds[i];
    proposed.content_hash := content_hashes[i];
    proposed.cmd_hash := cmd_hashes[i];
    proposed.logical_keys := ARRAY(SELECT jsonb_array_elements_text(key_lists[i]));
    proposed.display_id := display_ids[i];
    proposed.seen_count := repeats[i];
    proposed.target_state := target_states[i];
    SELECT * INTO answer FROM interlock.propose_one(proposed, lease, cooldown);
    relation := answer.relation;
    proposal := answer.proposal;
    RETURN NEXT;
    CONTINUE WHEN relation <> 'new';

    INSERT INTO interlock.proposal_payloads (org_id, proposal_id, canonical, context)
      VALUES (proposal.org_id, proposal.id, canonicals[i], contexts[i]);
    PERFORM pg_notify('interlock_proposals', '');
    CONTINUE WHEN cardinality(proposal.logical_keys) = 0;
    INSERT INTO interlock.proposal_targets (org_id, target, logical_key, proposal_id)
      SELECT DISTINCT proposal.org_id, interlock.target_of(key), key, proposal.id
      FROM unnest(proposal.logical_keys) AS key;
    RETURN QUERY SELECT i, n.relation, n.proposal FROM interlock.neighbours_of(proposal, neighbours) AS n;
  END LOOP;
END
$$;

-- Each key is looked up on its own, so that its part of the index is all that is read.
CREATE OR REPLACE FUNCTION interlock.neighbours_of(proposed interlock.proposals, at_most integer)
RETURNS TABLE (relation text, proposal interlock.proposals) LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
  same CONSTANT uuid[] := ARRAY(
    SELECT found.proposal_id FROM unnest(proposed.logical_keys) AS key, LATERAL (
      SELECT t.proposal_id FROM interlock.proposal_targets t
      WHERE t.org_id = proposed.org_id AND t.target = interlock.target_of(key) AND t.logical_key = key
        AND t.proposal_id <> proposed.id
      LIMIT at_most) AS found);
  others CONSTANT uuid[] := ARRAY(
    SELECT found.proposal_id FROM unnest(proposed.logical_keys) AS key, LATERAL (
      SELECT t.proposal_id FROM interlock.proposal_targets t
      WHERE t.org_id = proposed.org_id AND t.target = interlock.target_of(key)
        AND t.logical_key <> ALL (proposed.logical_keys)
      LIMIT at_most) AS found);
BEGIN
  IF cardinality(same) + cardinality(others) = 0 THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT CASE WHEN p.logical_keys && proposed.logical_keys THEN 'cluster' ELSE 'related' END, p
    FROM interlock.proposals p
    WHERE p.org_id = proposed.org_id AND p.id = ANY (same || others)
      AND p.state IN ('pending', 'executing', 'interrupted')
      AND (p.state <> 'pending' OR p.lease_until > clock_timestamp())
    ORDER BY p.first_seen_at, p.id;
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
LANGUAGE sql SET enable_seqscan = off AS $$
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
LANGUAGE sql SET enable_seqscan = off AS $$
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
