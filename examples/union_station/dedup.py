"""Approvals: an hourly model proposes actions, an operator decides once, a daemon executes once.

The actions are recorded ones and the daemon only notes down what it would run.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

from interlock.dedup import ApprovalStore, DedupDecision, Proposal, StoredProposal
from interlock.errors import CanonicalizationError, LifecycleError, ProposalNotFound, ProposalTooLarge
from interlock.hashing import ABSENT
from interlock.tenancy import pre_org_resolution_scope, tenant_scope
from interlock.web import current_org
from union_station.dedup_section import section

__all__ = ["router", "section", "shutdown", "startup"]

router = APIRouter(prefix="/proposals", tags=["proposals"])

LEASE_SECONDS = 6 * 3600
COOLDOWN_SECONDS = 3600
POLL_SECONDS = 0.2


class ShellAction(BaseModel):
    """One entry of the model's answer. Its id and its reasoning drift; neither is looked at."""

    kind: Literal["shell"]
    id: str = Field(max_length=200)
    command: str = Field(max_length=10_000)

    def proposal(self) -> Proposal:
        return Proposal.shell(self.command, display_id=self.id)


class HttpAction(BaseModel):
    """A request; a body that is left out is not the same as null."""

    kind: Literal["http"]
    id: str = Field(max_length=200)
    method: str = Field(max_length=20)
    path: str = Field(max_length=4000)
    body: Any = None

    def proposal(self) -> Proposal:
        body = self.body if "body" in self.model_fields_set else ABSENT
        return Proposal.http(self.method, self.path, body, display_id=self.id)


Action = Annotated[ShellAction | HttpAction, Field(discriminator="kind")]


class Approval(BaseModel):
    by: str = Field(min_length=1, max_length=200)


def approval_store(request: Request) -> ApprovalStore:
    """The store of this service, as a FastAPI dependency."""
    store: ApprovalStore = request.app.state.approvals
    return store


Store = Annotated[ApprovalStore, Depends(approval_store)]
OrgId = Annotated[UUID, Depends(current_org)]


@router.post("/cycle")
async def cycle(
    store: Store, org_id: OrgId, approval_needed: Annotated[list[Action], Body(embed=True, max_length=500)]
) -> list[dict[str, Any]]:
    """Take what one run of the model proposes; answers by position."""
    with _as_http_errors():
        proposals = [action.proposal() for action in approval_needed]
        return [_decision(decision) for decision in await store.propose_many(proposals)]


@router.get("")
async def in_flight(store: Store, org_id: OrgId) -> list[dict[str, Any]]:
    """What the operator sees, and what the next run of the model is shown."""
    return [_row(row) for row in await store.in_flight()]


@router.get("/executed")
async def executed(request: Request, org_id: OrgId) -> list[str]:
    """What the daemon executed for this org."""
    return list(request.app.state.executed[str(org_id)])


@router.get("/{proposal_id}")
async def get(store: Store, org_id: OrgId, proposal_id: UUID) -> dict[str, Any]:
    row = await store.get(proposal_id)
    if row is None:
        raise HTTPException(404, "no such proposal")
    return _row(row)


@router.post("/{proposal_id}/approve")
async def approve(store: Store, org_id: OrgId, proposal_id: UUID, approval: Approval) -> dict[str, Any]:
    with _as_http_errors():
        return _row(await store.approve(proposal_id, by=approval.by))


def _row(row: StoredProposal) -> dict[str, Any]:
    return {
        "row": str(row.id),
        "label": row.display_id,
        "cmd_hash": row.cmd_hash,
        "state": row.state,
        "seen_count": row.seen_count,
        "approved_by": row.approved_by,
    }


def _decision(decision: DedupDecision) -> dict[str, Any]:
    return _row(decision.stored) | {
        "duplicate": decision.duplicate,
        "reason": decision.reason,
        "cluster": [str(row.id) for row in decision.logical_cluster],
        "related": [str(row.id) for row in decision.related],
    }


@contextmanager
def _as_http_errors() -> Iterator[None]:
    try:
        yield
    except ProposalNotFound:
        # One text for a random id and for another org's.
        raise HTTPException(404, "no such proposal") from None
    except LifecycleError as error:
        raise HTTPException(409, str(error)) from None
    except ProposalTooLarge as error:
        raise HTTPException(413, str(error)) from None
    except CanonicalizationError as error:
        raise HTTPException(422, str(error)) from None


# --- the daemon


async def startup(app: FastAPI) -> None:
    """Open the store and start the daemon."""
    app.state.approvals = ApprovalStore(app.state.pools, lease=LEASE_SECONDS, cooldown=COOLDOWN_SECONDS)
    app.state.executed = defaultdict(list)
    app.state.executor = asyncio.create_task(_run_daemon(app))


async def shutdown(app: FastAPI) -> None:
    """Stop the daemon."""
    app.state.executor.cancel()
    await asyncio.gather(app.state.executor, return_exceptions=True)


async def _run_daemon(app: FastAPI) -> None:
    while True:
        await execute_approved(app.state.approvals, app.state.executed)
        await asyncio.sleep(POLL_SECONDS)


async def execute_approved(store: ApprovalStore, done: dict[str, list[str]]) -> None:
    """Claim what any org approved, execute each in its own org's scope, and let lapsed leases lapse."""
    with pre_org_resolution_scope("daemon: claim approved proposals of every org"):
        await store.expire()
        for row in await store.claim("executor", limit=10, lease=60):
            with tenant_scope(str(row.org_id)):
                payload = await store.payload(row.id)
                done[str(row.org_id)].append(payload.canonical.decode())
                # The attempt fences this worker off if its lease lapsed meanwhile.
                await store.transition(row.id, "completed", attempt=row.attempt, by="executor", reason="ran")
