"""A proposal as the index or the database holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock.dedup.lifecycle import LifecycleState


@dataclass(frozen=True, slots=True)
class StoredProposal:
    """One row: who proposed what, where it stands, and how often it was seen.

    Attributes:
        id: the key of the row. The proposer's own id is only ``display_id``.
        org_id: the org as text, or None in an index used without orgs.
        kind: ``"shell"``, ``"http"``, … or a custom kind.
        content_hash: identity, 64 hexadecimal digits.
        cmd_hash: first 12 digits of the digest of the canonical form, for people.
        logical_keys: ``verb:target`` of each operations command in it.
        display_id: the label its first proposer gave it.
        state: where it stands.
        attempt: fencing number: how often it was taken into execution.
        version: grows with every approval and change of state.
        approved_by: who approved it, or None.
        approved_at: when.
        lease_until: when a pending or executing row lapses, or None.
        seen_count: how often it was proposed.
        first_seen_at: when first.
        last_seen_at: when last.
        canon_version: which release of the canonical forms made ``content_hash``.

    """

    id: UUID
    org_id: str | None
    kind: str
    content_hash: str
    cmd_hash: str
    logical_keys: tuple[str, ...]
    display_id: str | None
    state: LifecycleState
    attempt: int
    version: int
    approved_by: str | None
    approved_at: datetime | None
    lease_until: datetime | None
    seen_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    canon_version: int


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def of_entry(
    identity: tuple[int, str | None, str, str, str, tuple[str, ...], str | None],
    standing: tuple[str, int, int, int | None],
    seen: tuple[int, int, int, int],
) -> StoredProposal:
    """Make the row of an entry of the in-memory index, whose times are nanoseconds since 1970."""
    id, org_id, kind, content_hash, cmd_hash, logical_keys, display_id = identity
    state, attempt, version, lease_until = standing
    seen_count, first_seen, last_seen, canon_version = seen
    return StoredProposal(
        id=UUID(int=id),
        org_id=org_id,
        kind=kind,
        content_hash=content_hash,
        cmd_hash=cmd_hash,
        logical_keys=logical_keys,
        display_id=display_id,
        state=LifecycleState(state),
        attempt=attempt,
        version=version,
        approved_by=None,
        approved_at=None,
        lease_until=None if lease_until is None else _instant(lease_until),
        seen_count=seen_count,
        first_seen_at=_instant(first_seen),
        last_seen_at=_instant(last_seen),
        canon_version=canon_version,
    )


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
