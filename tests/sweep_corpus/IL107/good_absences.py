"""An absent tenant is refused, optional as a filter, or passed on for somebody else to judge."""

from typing import Annotated

from fastapi import Depends, Header, HTTPException, Query
from interlock.tenancy import current_org_id, tenant_scope


async def refused(connection, org_id: int | None = None):
    if org_id is None:
        raise HTTPException(400, "no organisation")
    return await connection.fetch("SELECT * FROM notes WHERE org_id = $1", org_id)


async def refused_header(x_org_id: Annotated[str | None, Header()] = None):
    if not x_org_id:
        raise HTTPException(400)
    async with tenant_scope(x_org_id):
        return x_org_id


async def filtered(connection, org_id: int | None = Query(None)):
    query = "SELECT * FROM orgs"
    arguments = []
    if org_id is not None:
        query += " WHERE id = $1"
        arguments.append(org_id)
    return await connection.fetch(query, *arguments)


async def from_scope(connection, org_id: int | None = None):
    org_id = org_id or current_org_id()
    return await connection.fetch("SELECT * FROM notes WHERE org_id = $1", org_id)


async def required(org_id: int, workspace_id: str = Query(...), tenant_id=Depends(current_org_id)):
    return org_id, workspace_id, tenant_id


def passed_on(logger, org_id: int | None = None):
    logger.info("org %s", org_id)


async def empty(tenant_id: str = ""):
    if not tenant_id:
        raise HTTPException(400)


async def nullable_by_statement(connection, org_id: int | None = None):
    return await connection.fetch("SELECT * FROM notes WHERE ($1::int IS NULL OR org_id = $1)", org_id)


async def stored(connection, org_id: int | None = None):
    await connection.execute("INSERT INTO system_log (org_id, line) VALUES ($1, $2)", org_id, "x")
