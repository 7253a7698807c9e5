"""The audit trail: rows of a tenant in the tenant's own transaction, rows of the system through a private lane.

The table ``interlock.audit`` is append-only by its grants: neither the runtime role nor the admin role may change or
remove a row. A row that cannot be written raises; nothing is ever dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from interlock.errors import ScopeMissing
from interlock.tenancy.scope import require_frame

if TYPE_CHECKING:
    import asyncpg

    from interlock.tenancy.connection import TenantConnection
    from interlock.tenancy.lane import SystemTransaction
    from interlock.tenancy.pools import TenantPools

_TENANT_ROW = (
    "INSERT INTO interlock.audit (org_id, actor, action, subject, details) "
    "VALUES ($1, $2, $3, $4, $5::text::jsonb) RETURNING id"
)


async def write_tenant_audit(
    conn: TenantConnection | asyncpg.Connection,
    *,
    action: str,
    actor: str | None = None,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> UUID:
    """Write a row for the tenant of the current scope, in the transaction that ``conn`` is in.

    If that transaction is rolled back, so is the row: it tells of what happened, not of what was tried.

    Args:
        conn: a connection of the current scope.
        action: what was done, as a constant of the code: ``"invoice.paid"``.
        actor: who did it.
        subject: what it was done to.
        details: more, as JSON.

    Returns:
        The id of the row.

    Raises:
        ScopeMissing, ScopeEnded, ScopeConflict: there is no tenant to write for, or ``conn`` is another's.
        ValueError: ``action`` is empty, or ``details`` is no JSON.
        asyncpg.PostgresError: the row could not be written.

    """
    org = require_frame().org_text
    if org is None:
        raise ScopeMissing(
            "write_tenant_audit writes for one tenant, and this is a pre_org_resolution_scope: open "
            "tenant_scope(org_id), or use write_system_audit"
        )
    row_id: UUID = await conn.fetchval(_TENANT_ROW, org, actor, _checked(action), subject, _json(details))
    return row_id


async def write_system_audit(
    pools: TenantPools,
    *,
    action: str,
    actor: str | None = None,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
    transaction: SystemTransaction | None = None,
) -> UUID:
    """Write a row that belongs to no tenant, in a transaction of its own; works in any scope and in none.

    Args:
        pools: whose private lane to use.
        action: what was done, as a constant of the code: ``"deadline.tripped"``.
        actor: who or what did it.
        subject: what it was done to.
        details: more, as JSON.
        transaction: one of the lane's, to write the row in that instead.

    Returns:
        The id of the row.

    Raises:
        ValueError: ``action`` is empty, or ``details`` is no JSON.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the row could not be written.

    """
    from interlock.tenancy.system_statements import SystemStatement

    statement = SystemStatement.WRITE_SYSTEM_AUDIT
    row_id: UUID = await (transaction or pools.lane).fetchval(
        statement, actor, _checked(action), subject, _json(details)
    )
    return row_id


def _checked(action: str) -> str:
    if not isinstance(action, str) or not action.strip():
        raise ValueError("action must say what was done: give a word such as 'invoice.paid'")
    return action


def _json(details: Mapping[str, Any] | None) -> str | None:
    if details is None:
        return None
    try:
        return json.dumps(dict(details), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"details cannot be written as JSON: {error}") from error
