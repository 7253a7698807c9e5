"""What makes one proposal the same as another: in memory and in PostgreSQL.

A proposal is identified by what it would do, never by the id somebody gave it. While one is in flight, every equal
one collapses into it; a decision always names the row, and never grants authority.
"""

from interlock.dedup.authority import AUTHORITY_FRAGMENT_TEMPLATE, authority_fragment
from interlock.dedup.decision import DedupDecision, dedup_proposals
from interlock.dedup.index import DedupIndex
from interlock.dedup.lifecycle import (
    IN_FLIGHT_STATES,
    PROPOSAL_LIFECYCLE_STATES,
    TERMINAL_STATES,
    TRANSITIONS,
    LifecycleState,
)
from interlock.dedup.proposal import CANON_VERSION, MAX_PAYLOAD_BYTES, Proposal
from interlock.dedup.store import ApprovalStore
from interlock.dedup.stored import StoredProposal

__all__ = [
    "AUTHORITY_FRAGMENT_TEMPLATE",
    "CANON_VERSION",
    "IN_FLIGHT_STATES",
    "MAX_PAYLOAD_BYTES",
    "PROPOSAL_LIFECYCLE_STATES",
    "TERMINAL_STATES",
    "TRANSITIONS",
    "ApprovalStore",
    "DedupDecision",
    "DedupIndex",
    "LifecycleState",
    "Proposal",
    "StoredProposal",
    "authority_fragment",
    "dedup_proposals",
]
