"""Lifecycle, identity of proposals, and the pure decision over a snapshot."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import hashing
from interlock.dedup import (
    AUTHORITY_FRAGMENT_TEMPLATE,
    IN_FLIGHT_STATES,
    MAX_PAYLOAD_BYTES,
    PROPOSAL_LIFECYCLE_STATES,
    TERMINAL_STATES,
    TRANSITIONS,
    LifecycleState,
    Proposal,
    authority_fragment,
    dedup_proposals,
)
from interlock.errors import CanonicalizationError, ProposalTooLarge, UnknownState

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
contexts = st.dictionaries(st.sampled_from(["cwd", "host", "user"]), st.text("ab/", max_size=3), max_size=2)


def test_states_and_transitions_are_the_designed_ones():
    assert [*PROPOSAL_LIFECYCLE_STATES] == [
        "pending", "executing", "interrupted", "completed", "failed", "cancelled", "expired",
    ]  # fmt: skip
    assert set(IN_FLIGHT_STATES) | set(TERMINAL_STATES) == set(LifecycleState)
    assert {(a.value, b.value) for a in LifecycleState for b in LifecycleState if a.may_become(b)} == {
        ("pending", "executing"), ("pending", "cancelled"), ("pending", "expired"),
        ("executing", "completed"), ("executing", "failed"), ("executing", "interrupted"),
        ("interrupted", "executing"), ("interrupted", "failed"), ("interrupted", "cancelled"),
    }  # fmt: skip
    assert all(not TRANSITIONS[state] for state in TERMINAL_STATES)
    with pytest.raises(UnknownState) as caught:
        LifecycleState.of("paused")
    assert caught.value.state == "paused"


# --- identity


@given(json_values, contexts)
def test_content_hash_is_the_published_formula(payload: Any, context: dict[str, str]):
    plain, placed = Proposal.custom("k", payload), Proposal.custom("k", payload, context=context)
    form = hashing.canonical_json(payload)
    assert plain.content_hash == hashlib.sha256(form).hexdigest()
    assert plain.cmd_hash == placed.cmd_hash == plain.content_hash[:12]
    preimage = b"\0interlock.context\0" + hashing.canonical_json(context) + b"\0" + form
    assert placed.content_hash == hashlib.sha256(preimage).hexdigest()
    assert placed.context == context
    assert plain.context is None


def test_each_kind_has_the_hash_of_its_own_function():
    values = {"a": 1, "b": [None]}
    for proposal, expected in [
        (Proposal.shell("docker  stop 'web'"), hashing.shell_command_hash("docker stop web")),
        (Proposal.http("post", "/x", values), hashing.http_request_hash("POST", "/x", values)),
        (Proposal.http("GET", "/x"), hashing.http_request_hash("GET", "/x")),
        (Proposal.database("t", 7, "update", values), hashing.database_operation_hash("t", 7, "update", values)),
        (Proposal.database("t", 7, "DELETE"), hashing.database_operation_hash("t", 7, "DELETE")),
        (Proposal.notification("r", "c", "m"), hashing.notification_hash("r", "c", "m")),
    ]:
        assert proposal.cmd_hash == expected


def test_kinds_and_words_do_not_run_into_each_other():
    proposals = [
        Proposal.argv(["docker", "stop", "a b"]),
        Proposal.argv(["docker", "stop", "a", "b"]),
        Proposal.tool("docker", ["stop"]),
        Proposal.tool("docker", ["stop", "a"]),
        Proposal.custom("argv2", ["docker", "stop", "a b"]),
    ]
    assert len({(proposal.kind, proposal.content_hash) for proposal in proposals}) == len(proposals)


@given(st.text(), st.text())
def test_a_label_never_counts_and_never_fails(first: str, second: str):
    one, other = (Proposal.shell("ls", display_id=label) for label in (first, second))
    assert one.content_hash == other.content_hash
    assert "\0" not in one.display_id
    assert len(one.display_id) <= 200


def test_labels_that_are_no_text_are_kept_as_text():
    assert Proposal.shell("ls", display_id=330).display_id == "330"
    assert Proposal.shell("ls", display_id="\ud800").display_id.encode()


@pytest.mark.parametrize(
    "refused",
    [
        lambda: Proposal.database("t", 1, "update"),
        lambda: Proposal.argv([]),
        lambda: Proposal.argv("docker stop web"),
        lambda: Proposal.argv(["docker", 7]),
        lambda: Proposal.shell("echo \0"),
        lambda: Proposal.shell("ls", context=[("cwd", "/")]),
        lambda: Proposal.shell("ls", context={"cwd": object()}),
        lambda: Proposal.custom("shell", {}),
        lambda: Proposal.custom("", {}),
        lambda: Proposal.custom("two\nlines", {}),
    ],
)
def test_what_has_no_identity_is_refused(refused):
    with pytest.raises(CanonicalizationError):
        refused()


def test_a_payload_above_the_limit_is_refused():
    with pytest.raises(ProposalTooLarge) as caught:
        Proposal.http("POST", "/", b"x" * MAX_PAYLOAD_BYTES)
    assert caught.value.limit == MAX_PAYLOAD_BYTES < caught.value.size
    Proposal.http("POST", "/", b"x" * (MAX_PAYLOAD_BYTES - 7))


def test_a_proposal_does_not_show_its_payload():
    assert "hunter2" not in repr(Proposal.shell("login --password hunter2"))


def test_logical_keys_of_shell_and_argv():
    assert Proposal.shell("sudo docker stop web && docker start db").logical_keys == ("stop:web", "start:db")
    assert Proposal.argv(["docker", "stop", "it's"]).logical_keys == ("stop:it's",)
    assert Proposal.http("POST", "/stop").logical_keys == ()


# --- the decision over a snapshot


def row(command: str, state: str = "pending", **more: Any) -> dict[str, Any]:
    proposal = Proposal.shell(command)
    return {"state": state, "cmd_hash": proposal.cmd_hash, "logical_keys": proposal.logical_keys, **more}


def test_five_hours_of_drifting_ids_are_one_card():
    """The field report behind the pattern: one fix, proposed each hour under another id."""
    cards: list[dict[str, Any]] = []
    for drifted in ("a3f9c2", "a3f7c2", "a3f7b2", "a3f9c1", "a3f9c2"):
        decision = dedup_proposals({"id": drifted, "command": "docker stop kometa-run"}, cards)
        if not decision.duplicate:
            cards.append(row("docker stop kometa-run", id=drifted))
        else:
            assert decision.collapsed_into is cards[0]
            assert decision.reason == "in_flight"
    assert [card["id"] for card in cards] == ["a3f9c2"]


@pytest.mark.parametrize("state", LifecycleState)
def test_every_in_flight_state_counts_and_no_other(state: LifecycleState):
    decision = dedup_proposals(Proposal.shell("docker stop web"), [row("docker stop web", state)])
    assert decision.duplicate == (state in IN_FLIGHT_STATES)


def test_the_cluster_has_the_verb_and_the_related_have_not():
    existing = [row(f"docker {what}") for what in ("stop -t 10 web", "rm -f web", "stop db")]
    existing.append(row("docker stop web", "failed"))
    decision = dedup_proposals(Proposal.shell("docker stop web"), existing)
    assert (decision.duplicate, decision.collapsed_into, decision.reason) == (False, None, "new")
    assert decision.logical_cluster == (existing[0],)
    assert decision.related == (existing[1],)


def test_full_hashes_are_compared_where_there_are_any():
    new = Proposal.shell("docker stop web")
    forged = row("docker stop web", content_hash="0" * 64, kind="shell")
    assert not dedup_proposals(new, [forged]).duplicate
    assert not dedup_proposals(new, [row("docker stop web", kind="argv")]).duplicate
    same = SimpleNamespace(state="pending", content_hash=new.content_hash, kind="shell")
    assert dedup_proposals(new, [same]).duplicate


def test_a_context_is_not_vouched_for_by_twelve_digits():
    placed = Proposal.shell("docker stop web", context={"host": "a"})
    assert not dedup_proposals(placed, [row("docker stop web")]).duplicate
    assert dedup_proposals(placed, [{"state": "pending", "content_hash": placed.content_hash}]).duplicate


def test_a_snapshot_is_of_one_org_and_has_known_states():
    with pytest.raises(UnknownState):
        dedup_proposals(Proposal.shell("ls"), [row("ls", "paused")])
    with pytest.raises(ValueError, match="several orgs"):
        dedup_proposals(Proposal.shell("ls"), [row("ls", org_id="a"), row("ls", org_id="b")])


# --- what the model is told


def test_the_authority_fragment_names_the_kinds_and_the_rules():
    fragment = authority_fragment(["shell", "deploy"])
    assert "kind = shell; command" in fragment
    assert "kind = deploy; payload" in fragment
    for rule in ("display label", "cmd_hash", "logical_key", "never trusted", "interrupted"):
        assert rule in fragment
    assert "{kinds}" in AUTHORITY_FRAGMENT_TEMPLATE
    assert authority_fragment("shell") == authority_fragment(["shell"])
    for bad in ([], [""], ["a\nb"], ""):
        with pytest.raises(ValueError, match="kinds"):
            authority_fragment(bad)
