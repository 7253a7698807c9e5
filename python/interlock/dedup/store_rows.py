"""What the store sends and how it reads the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from itertools import accumulate, chain
from typing import Any

from interlock.dedup.decision import DedupDecision, require_kind
from interlock.dedup.lifecycle import LifecycleState
from interlock.dedup.proposal import CANON_VERSION, Proposal
from interlock.dedup.stored import StoredProposal
from interlock.tenancy.system_statements import TenantStatement

Row = Mapping[str, Any]

_STATES = {state.value: state for state in LifecycleState}
_COLUMNS = [column.name for column in fields(StoredProposal)]


def columns_of(source: str) -> str:
    """Return the select list that :func:`stored` reads, of a table alias or of a composite column ``(alias).``."""
    return ", ".join(f"{source}.{column}" for column in _COLUMNS)


class Propose(TenantStatement):
    """The statements that store proposals. They act for the org that is their first parameter."""

    # Not by name: the server would look each column of the composite type up.
    ONE = "SELECT * FROM interlock.propose($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    MANY = (
        "SELECT * FROM interlock.propose_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    )


APPROVE = f"SELECT a.verdict, {columns_of('(a.proposal)')} FROM interlock.approve($1, $2) AS a"  # noqa: S608
TRANSITION = f"""
SELECT a.verdict, {columns_of("(a.proposal)")} FROM interlock.transition($1, $2, $3, $4, $5, $6) AS a
"""  # noqa: S608
CLAIM = f"SELECT {columns_of('a')} FROM interlock.claim($1, $2, $3) AS a"  # noqa: S608
EXPIRE = f"SELECT {columns_of('a')} FROM interlock.expire($1) AS a"  # noqa: S608
GET = f"SELECT {columns_of('p')} FROM interlock.proposals p WHERE p.id = $1"  # noqa: S608
IN_FLIGHT = f"""
SELECT {columns_of("p")} FROM interlock.proposals p
WHERE p.state IN ('pending', 'executing', 'interrupted')
  AND (p.state <> 'pending' OR p.lease_until > clock_timestamp())
ORDER BY p.first_seen_at, p.id
"""  # noqa: S608


def _watched(condition: str) -> str:
    # Always one row at least, which carries the horizon: every transaction below it has ended in this snapshot.
    return f"""
SELECT h.horizon, {columns_of("p")}
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon) h
LEFT JOIN interlock.proposals p ON {condition}
ORDER BY p.changed_in, p.id
"""  # noqa: S608


WATCH_FIRST = _watched("p.state IN ('pending', 'executing', 'interrupted')")
WATCH_NEXT = _watched("p.changed_in >= $1::text::xid8")
PAYLOAD = """
SELECT p.kind, a.canonical, a.context
FROM interlock.proposal_payloads a JOIN interlock.proposals p ON p.org_id = a.org_id AND p.id = a.proposal_id
WHERE a.proposal_id = $1
"""


def stored(row: Row) -> StoredProposal:
    """Read the columns of :func:`columns_of`, whatever stands beside them."""
    # By position, in the order of the fields: with their names it would take twice as long.
    return StoredProposal(
        row["id"],
        row["org_id"],
        row["kind"],
        row["content_hash"].hex(),
        row["cmd_hash"],
        tuple(row["logical_keys"]),
        row["display_id"],
        _STATES[row["state"]],
        row["attempt"],
        row["version"],
        row["approved_by"],
        row["approved_at"],
        row["lease_until"],
        row["seen_count"],
        row["first_seen_at"],
        row["last_seen_at"],
        row["canon_version"],
    )


def arguments_of(proposal: Proposal, target_state: str | bytes | None, formerly: Proposal | None) -> tuple[Any, ...]:
    """Return the arguments of ``interlock.propose`` between the org and the lease."""
    return (
        proposal.kind,
        bytes.fromhex(proposal.content_hash),
        _former_hash(proposal, formerly),
        proposal.cmd_hash,
        proposal.logical_keys,
        proposal.display_id,
        proposal.canonical,
        proposal.canonical_context,
        _fingerprint(target_state),
        1,
        CANON_VERSION,
    )


def decision_of(answer: Sequence[Row]) -> DedupDecision:
    """Make the decision of the rows that answer one proposal: the one that stands for it, then its neighbours."""
    own, *neighbours = answer
    if own["relation"] != "new":
        return _collapsed(stored(own), own["relation"])
    if not neighbours:
        return DedupDecision(False, stored=stored(own))
    return DedupDecision(
        False,
        logical_cluster=tuple(stored(other) for other in neighbours if other["relation"] == "cluster"),
        related=tuple(stored(other) for other in neighbours if other["relation"] == "related"),
        stored=stored(own),
    )


@dataclass(frozen=True)
class Batch:
    """Proposals as the database function takes them: each content once, in the order in which all batches lock."""

    proposals: Sequence[Proposal]
    groups: list[list[int]]
    formers: Sequence[Proposal | None] | None = None

    @classmethod
    def of(cls, proposals: Sequence[Proposal], formers: Sequence[Proposal | None] | None = None) -> Batch:
        """Fold equal proposals; each group holds the positions of one content."""
        positions: dict[tuple[str, str], list[int]] = {}
        for position, proposal in enumerate(proposals):
            positions.setdefault((proposal.kind, proposal.content_hash), []).append(position)
        return cls(proposals, [positions[key] for key in sorted(positions)], formers)

    def arguments(self, target_states: Sequence[str | bytes | None] | None) -> list[list[Any] | int]:
        """Return the arguments of ``interlock.propose_many`` between the org and the lease."""
        firsts = [group[0] for group in self.groups]
        proposals = [self.proposals[first] for first in firsts]
        keys = [proposal.logical_keys for proposal in proposals]
        return [
            [proposal.kind for proposal in proposals],
            [bytes.fromhex(proposal.content_hash) for proposal in proposals],
            [self._former_hash(group) for group in self.groups],
            [proposal.cmd_hash for proposal in proposals],
            list(chain.from_iterable(keys)),
            list(accumulate(map(len, keys))),
            [proposal.display_id for proposal in proposals],
            [proposal.canonical for proposal in proposals],
            [proposal.canonical_context for proposal in proposals],
            [_fingerprint(target_states[first] if target_states else None) for first in firsts],
            [len(group) for group in self.groups],
            CANON_VERSION,
        ]

    def _former_hash(self, group: list[int]) -> bytes | None:
        """The hash that an earlier release gave one content, from the first proposal of it that says."""
        if self.formers is None:
            return None
        proposal = self.proposals[group[0]]
        hashes = (_former_hash(proposal, self.formers[position]) for position in group)
        return next((former_hash for former_hash in hashes if former_hash is not None), None)

    def decisions(self, rows: Sequence[Row]) -> list[DedupDecision]:
        """Return one decision for each proposal, by its position."""
        answers: list[list[Row]] = [[] for _ in self.groups]
        for row in rows:
            answers[row["place"] - 1].append(row)
        decided: dict[int, DedupDecision] = {}
        for (first, *repeated), answer in zip(self.groups, answers, strict=True):
            decided[first] = decision = decision_of(answer)
            if repeated:
                # Whatever the first became, it stands for them.
                decided |= dict.fromkeys(repeated, decision if decision.duplicate else _collapsed(decision.stored))
        return [decided[position] for position in range(len(decided))]


def _collapsed(row: StoredProposal, reason: str = "in_flight") -> DedupDecision:
    return DedupDecision(True, collapsed_into=row, reason=reason, stored=row)


def _former_hash(proposal: Proposal, former: Proposal | None) -> bytes | None:
    if former is None:
        return None
    require_kind(proposal, former)
    return None if former.content_hash == proposal.content_hash else bytes.fromhex(former.content_hash)


def _fingerprint(target_state: str | bytes | None) -> bytes | None:
    if target_state is None:
        return None
    return sha256(target_state.encode() if isinstance(target_state, str) else target_state).digest()
