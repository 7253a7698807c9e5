"""Proposals in PostgreSQL, shared by many processes: at most one in flight for each content of an org."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from interlock.dedup import store_rows as rows
from interlock.dedup.decision import DedupDecision
from interlock.dedup.lifecycle import LifecycleState
from interlock.dedup.payload import Payload
from interlock.dedup.proposal import Proposal
from interlock.dedup.store_errors import StoreErrors
from interlock.dedup.stored import StoredProposal
from interlock.dedup.watch import changes
from interlock.errors import LifecycleError, ProposalNotFound, ScopeMissing, StaleAttempt
from interlock.tenancy.scope import current_scope

if TYPE_CHECKING:
    from interlock.tenancy import TenantPools

Seconds = float | timedelta

MAX_BATCH = 10_000
_MAX_INTEGER = 2**31 - 1
_LONGEST = timedelta(days=36_525)
NEIGHBOURS = 100
"""How many rows of a cluster, and how many related ones, a decision shows at most for each logical key."""

_EXPIRE_BATCH = 1_000


class ApprovalStore:
    """The proposals of every org in one PostgreSQL database, read and written under the current scope.

    Every method acts for the tenant of the scope it is called in. ``claim``, ``expire``, ``in_flight`` and
    ``watch`` may also be called in ``pre_org_resolution_scope``, where they span orgs; everything else raises
    ``ScopeMissing`` there. All methods raise ``StoreConnectionLost`` and ``StoreConflict``, which are retryable.

    Args:
        pools: from ``create_tenant_pools``, on a database prepared by ``interlock.schema.migrate``.
        lease: how long a pending proposal waits for its execution before it expires, and how long an execution may
            take before it counts as interrupted; seconds or a timedelta.
        cooldown: for how long after an equal proposal was completed or cancelled a new one collapses into it; None
            for not at all.

    Raises:
        ValueError: a duration is not a positive number or timedelta, or more than a hundred years.

    """

    def __init__(self, pools: TenantPools, *, lease: Seconds = 3600.0, cooldown: Seconds | None = None) -> None:
        self._pools = pools
        self._lease = _duration("lease", lease)
        self._cooldown = None if cooldown is None else _duration("cooldown", cooldown)

    async def propose(
        self,
        proposal: Proposal,
        *,
        target_state: str | bytes | None = None,
        formerly: Proposal | None = None,
    ) -> DedupDecision:
        """Store a proposal unless an equal one is in flight or cooling down; one round trip.

        Args:
            proposal: what is proposed.
            target_state: a fingerprint of what the action would change. A cooldown applies only where it is equal to
                the one given before: what was right for the old state may be needed again for the new one.
            formerly: the same action as an earlier release described it, which gave it another identity. It is a
                duplicate under either, so that rows in flight keep their place over an upgrade.

        """
        arguments = rows.arguments_of(proposal, target_state, formerly)
        return rows.decision_of(await self._propose(rows.Propose.ONE, arguments))

    async def propose_many(
        self,
        proposals: Sequence[Proposal],
        *,
        target_states: Sequence[str | bytes | None] | None = None,
        formerly: Sequence[Proposal | None] | None = None,
    ) -> list[DedupDecision]:
        """Propose all of them in one transaction and one round trip, all or none; answers by position.

        Equal proposals within the batch collapse into the first. Any two batches lock in the same order.

        Raises:
            ValueError: more than 10,000 proposals, not as many target states or former ones as proposals, or a former
                one of another kind.

        """
        _require_tenant("propose")
        if len(proposals) > MAX_BATCH:
            raise ValueError(f"{len(proposals)} proposals in one batch: propose at most {MAX_BATCH} at once")
        for name, given in (("target states", target_states), ("former proposals", formerly)):
            if given is not None and len(given) != len(proposals):
                raise ValueError(f"{len(given)} {name} for {len(proposals)} proposals")
        if not proposals:
            return []
        batch = rows.Batch.of(proposals, formerly)
        return batch.decisions(await self._propose(rows.Propose.MANY, batch.arguments(target_states)))

    async def approve(self, id: UUID | str, *, by: str) -> StoredProposal:
        """Record who approved a pending proposal and when. Approving again changes nothing: the first one stands.

        Raises:
            ValueError: ``by`` names nobody.
            ProposalNotFound: the current org has no such proposal.
            LifecycleError: it is not pending any more.

        """
        _require_tenant("approve")
        (answer,) = await self._fetch(rows.APPROVE, _uuid(id), _somebody("by", by))
        if answer["verdict"] == "unknown":
            raise _not_found(id)
        if answer["verdict"] == "illegal":
            raise LifecycleError(
                f"only a pending proposal can be approved, and this one is {answer['state']}", from_=answer["state"]
            )
        return rows.stored(answer)

    async def claim(self, worker: str, *, limit: int = 1, lease: Seconds | None = None) -> list[StoredProposal]:
        """Take up to ``limit`` approved proposals into execution, oldest approval first; nobody else gets them.

        Report with :meth:`transition` and the ``attempt`` of the row before the lease lapses.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MAX_INTEGER:
            raise ValueError(f"limit={limit!r}: claim at least one, and at most {_MAX_INTEGER}")
        period = self._lease if lease is None else _duration("lease", lease)
        return [rows.stored(row) for row in await self._fetch(rows.CLAIM, _somebody("worker", worker), limit, period)]

    async def transition(
        self,
        id: UUID | str,
        to: LifecycleState | str,
        *,
        attempt: int | None = None,
        by: str,
        reason: str | None = None,
        lease: Seconds | None = None,
    ) -> StoredProposal:
        """Move a proposal to another state, and write the audit row in the same transaction.

        Args:
            id: the key of the row.
            to: the new state. Who moves a row to executing thereby approves that one execution.
            attempt: a worker gives the number it got from :meth:`claim`; a decision of an operator has none.
            by: who decided or worked, for the audit.
            reason: why, for the audit.
            lease: for ``to="executing"``, instead of the store's.

        Raises:
            UnknownState: ``to`` is not a state.
            ValueError: ``by`` names nobody, or ``reason`` has a NUL, which PostgreSQL cannot store.
            ProposalNotFound: the current org has no such proposal.
            StaleAttempt: a later execution has begun.
            LifecycleError: the lifecycle has no such transition. A worker whose lease lapsed finds the row
                interrupted: the operator decides, since the action may have run.

        """
        _require_tenant("transition")
        state = LifecycleState.of(to)
        period = self._lease if lease is None else _duration("lease", lease)
        if reason is not None and "\0" in reason:
            raise ValueError("reason has a NUL, which PostgreSQL cannot store")
        decided = (state.value, attempt, _somebody("by", by), reason, period)
        (answer,) = await self._fetch(rows.TRANSITION, _uuid(id), *decided)
        match answer["verdict"]:
            case "unknown":
                raise _not_found(id)
            case "stale":
                raise StaleAttempt(
                    f"attempt {attempt} is over: the proposal is {answer['state']}, attempt {answer['attempt']}",
                    from_=answer["state"],
                    to=state.value,
                    attempt=attempt,
                )
            case "illegal":
                raise LifecycleError(
                    f"a proposal cannot go from {answer['state']} to {state}", from_=answer["state"], to=state.value
                )
        return rows.stored(answer)

    async def expire(self) -> list[StoredProposal]:
        """Let lapsed leases lapse: pending proposals expire, executing ones are interrupted. Returns the rows."""
        lapsed: list[StoredProposal] = []
        while True:
            batch = await self._fetch(rows.EXPIRE, _EXPIRE_BATCH)
            lapsed.extend(map(rows.stored, batch))
            if len(batch) < _EXPIRE_BATCH:
                return lapsed

    async def get(self, id: UUID | str) -> StoredProposal | None:
        """Return the proposal, or None if the current org has none with this id."""
        _require_tenant("get")
        found = await self._fetch(rows.GET, _uuid(id))
        return rows.stored(found[0]) if found else None

    async def payload(self, id: UUID | str) -> Payload:
        """Return what a proposal would do, as it is to be executed.

        Raises:
            ProposalNotFound: the current org has no such proposal.

        """
        _require_tenant("payload")
        found = await self._fetch(rows.PAYLOAD, _uuid(id))
        if not found:
            raise _not_found(id)
        return Payload(found[0]["kind"], found[0]["canonical"], found[0]["context"])

    async def in_flight(self) -> list[StoredProposal]:
        """Return every proposal in flight, oldest first: the snapshot to show to the model and to the operator."""
        return [rows.stored(row) for row in await self._fetch(rows.IN_FLIGHT)]

    def watch(self, *, every: Seconds = 30.0) -> AsyncIterator[StoredProposal]:
        """Yield the proposals in flight, then each one that is new, approved or moved, once that is committed.

        Nothing is lost over a reconnect: rows are read again after it, and every ``every`` seconds in any case. Close
        the iterator (``contextlib.aclosing``) when done, in the scope it was started in.

        Raises:
            ValueError: ``every`` is not a positive duration.
            ScopeMissing, ScopeEnded, ScopeConflict: it is iterated outside the scope it was started in.

        """
        return changes(self._pools, _duration("every", every).total_seconds())

    async def _propose(self, statement: rows.Propose, arguments: Sequence[Any]) -> list[Any]:
        with StoreErrors():
            return await self._pools.fetch_own(statement, *arguments, self._lease, self._cooldown, NEIGHBOURS)

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        with StoreErrors():
            return list(await self._pools.fetch(statement, *arguments))


def _require_tenant(what: str) -> None:
    scope = current_scope()
    if scope is not None and scope.pre_resolution:
        raise ScopeMissing(
            f"{what} acts for one org, and pre_org_resolution_scope is none: open tenant_scope(org_id) inside it"
        )


def _uuid(id: UUID | str) -> UUID:
    if isinstance(id, UUID):
        return id
    try:
        return UUID(id)
    except (ValueError, TypeError, AttributeError):
        # A label is no key; it is answered like any unknown one.
        raise _not_found(id) from None


def _somebody(name: str, who: str) -> str:
    """An audit row names who decided or worked."""
    if not isinstance(who, str) or not who or "\0" in who:
        raise ValueError(f"{name} names who decided or works: a string that is not empty and has no NUL")
    return who


def _not_found(id: UUID | str) -> ProposalNotFound:
    return ProposalNotFound(f"this org has no proposal with the id {str(id)[:64]!r}", id=id)


def _duration(name: str, value: Seconds) -> timedelta:
    duration: object = value
    # A bool is a number to Python, and no duration.
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            duration = timedelta(seconds=value)
        except (ValueError, OverflowError):
            duration = None
    if not isinstance(duration, timedelta) or not timedelta(0) < duration <= _LONGEST:
        message = f"{name}={value!r}: give a positive number of seconds or a timedelta, of a hundred years at most"
        raise ValueError(message)
    return duration
