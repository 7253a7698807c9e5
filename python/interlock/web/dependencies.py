"""FastAPI dependencies that open the scope of a request, or read it."""

# No `from __future__ import annotations`: FastAPI could not resolve the name of an argument in an annotation.

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, HTTPException

from interlock.tenancy import OrgId, TenantContext, current_org_id
from interlock.web.middleware import scope_of_request


def scoped(dependency: Callable[..., Any]) -> Callable[..., AsyncIterator[TenantContext | None]]:
    """Return a dependency that opens the tenant scope of the org id which ``dependency`` returns.

    The scope covers the endpoint, sync or async, its background tasks and its streamed body. None opens no scope. This
    works because the dependency is an async generator: FastAPI runs it in the task of the request, whereas a sync
    ``yield`` dependency runs in a worker thread, in a copy of the context, and its scope is lost.

    ``dependency`` itself runs without a scope; decorate it with ``pre_org_resolution_scope(reason)`` if it looks the
    org up in the database.

    Raises (while the request is served):
        HTTPException: 400 if the value cannot be an org id.
        ScopeConflict: the request is already in another tenant's scope.

    """

    async def open_scope(org_id: Annotated[Any, Depends(dependency)]) -> AsyncIterator[TenantContext | None]:
        if org_id is None:
            yield None
            return
        with scope_of_request(org_id) as context:
            yield context  # interlock: ok FastAPI runs it in the context of the request

    return open_scope


async def current_org() -> OrgId:
    """Return the org id of the request, as it was given to its scope: ``Annotated[OrgId, Depends(current_org)]``.

    Raises:
        HTTPException: 401 if the request has no tenant.
        ScopeEnded: its scope is over.

    """
    org_id = current_org_id()
    if org_id is None:
        raise HTTPException(401, "this request belongs to no organisation")
    return org_id
