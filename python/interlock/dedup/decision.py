"""Whether a proposal is a duplicate, and of what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from interlock._native import DedupDecision, Proposal
from interlock.dedup.lifecycle import LifecycleState

__all__ = ["DedupDecision", "dedup_proposals", "target_of"]


def dedup_proposals(
    new: Proposal | Mapping[str, Any], existing: Iterable[Any], *, formerly: Proposal | None = None
) -> DedupDecision:
    """Decide about ``new`` from a snapshot of one org's proposals, storing nothing.

    Args:
        new: a proposal, or a mapping with ``command`` and, as a label, ``id``.
        existing: :class:`StoredProposal` rows, or mappings or objects with ``state``, ``content_hash`` or
            ``cmd_hash``, and ``logical_keys`` (or ``logical_key``). All states may be in it: those in flight count. A
            row that has only the 12 digits of ``cmd_hash`` is compared by them, which a forged payload can match:
            give ``content_hash`` where there is one.
        formerly: the same action as an earlier release described it: ``new`` is a duplicate under either identity.

    Raises:
        UnknownState: a row has a state that the lifecycle does not have.
        ValueError: the rows belong to more than one org, or ``formerly`` is of another kind.

    """
    proposal = new if isinstance(new, Proposal) else Proposal.shell(new["command"], display_id=new.get("id"))
    if formerly is not None:
        require_kind(proposal, formerly)
    rows = [_Row(row) for row in existing]
    if len({row.org_id for row in rows}) > 1:
        raise ValueError("existing mixes rows of several orgs: decide from the snapshot of one")
    in_flight = [row for row in rows if row.state.in_flight]
    for row in in_flight:
        if row.is_same(proposal) or (formerly is not None and row.is_same(formerly)):
            return DedupDecision(True, collapsed_into=row.given, reason="in_flight")
    keys = set(proposal.logical_keys)
    targets = {target_of(key) for key in keys}
    cluster = [row for row in in_flight if keys & row.logical_keys]
    related = [row for row in in_flight if row not in cluster and targets & set(map(target_of, row.logical_keys))]
    return DedupDecision(
        False,
        logical_cluster=tuple(row.given for row in cluster),
        related=tuple(row.given for row in related),
    )


def require_kind(proposal: Proposal, former: Proposal) -> None:
    """Raise ``ValueError`` if what a proposal formerly was is of another kind, which no canonical form explains."""
    if former.kind != proposal.kind:
        raise ValueError(f"formerly is of kind {former.kind!r}, and the proposal of kind {proposal.kind!r}")


def target_of(logical_key: str) -> str:
    """Return a logical key without its verb: the object and scope that ``related`` compares."""
    return logical_key.partition(":")[2]


class _Row:
    """One row of a snapshot, whatever its shape."""

    def __init__(self, given: Any) -> None:
        def field(name: str) -> Any:
            return given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)

        self.given = given
        self.state = LifecycleState.of(field("state"))
        self.org_id = field("org_id")
        self.kind = field("kind")
        self.content_hash = field("content_hash")
        self.cmd_hash = field("cmd_hash")
        keys = field("logical_keys")
        single = field("logical_key")
        self.logical_keys = frozenset(keys if keys is not None else [single] if single else [])

    def is_same(self, proposal: Proposal) -> bool:
        if self.kind is not None and self.kind != proposal.kind:
            return False
        if self.content_hash is not None:
            return bool(self.content_hash == proposal.content_hash)
        # cmd_hash leaves the context out, so it cannot vouch for a proposal that has one.
        return proposal.context is None and self.cmd_hash == proposal.cmd_hash
