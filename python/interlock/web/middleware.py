"""The scope of a request, as pure ASGI.

Not ``BaseHTTPMiddleware``: its ``dispatch`` returns before background tasks and streamed bodies have run, so a scope
opened in it would end too early.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from interlock.errors import InvalidOrgId
from interlock.tenancy import OrgId, pre_org_resolution_scope, tenant_scope
from interlock.tenancy.scope import FreshRoot
from interlock.tenancy.scope import Scope as TenantScope

Resolve: TypeAlias = Callable[[HTTPConnection], Awaitable[OrgId | None] | OrgId | None]

# RFC 6455 §7.4.1: the endpoint received a message that violates its policy.
_POLICY_VIOLATION = 1008


class TenantMiddleware:
    """Run each request and each WebSocket in the scope of the tenant it belongs to.

    The scope lasts for the whole ASGI call: endpoint, background tasks, streamed body. Every request starts from a
    fresh root, whatever scope its caller is in. The lifespan passes through untouched.

    Args:
        app: the ASGI application.
        resolve: returns the org id of a connection, or None for a request without a tenant, which then has no scope.
            It runs in ``pre_org_resolution_scope`` and may raise ``HTTPException``, which is rendered as the
            application renders it (a WebSocket is denied), or ``WebSocketException``, which closes it. An org id that
            cannot be one answers 400.

    """

    def __init__(self, app: ASGIApp, *, resolve: Resolve) -> None:
        self.app = app
        self.resolve = resolve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with FreshRoot():
            try:
                tenant = await self._tenant_of(scope)
            except (HTTPException, WebSocketException) as refusal:
                await _refuse(refusal, scope, receive, send)
                return
            if tenant is None:
                await self.app(scope, receive, send)
                return
            with tenant:
                await self.app(scope, receive, send)

    async def _tenant_of(self, scope: Scope) -> TenantScope | None:
        with pre_org_resolution_scope("resolve the tenant of a request"):
            org_id = self.resolve(HTTPConnection(scope))
            if inspect.isawaitable(org_id):
                org_id = await org_id
        return None if org_id is None else scope_of_request(org_id)


def scope_of_request(org_id: OrgId) -> TenantScope:
    """Return the scope of an org that a request named. Raises ``HTTPException`` 400 if it cannot be one."""
    try:
        return tenant_scope(org_id)
    except InvalidOrgId:
        raise HTTPException(400, "invalid org id") from None


async def _refuse(refusal: HTTPException | WebSocketException, scope: Scope, receive: Receive, send: Send) -> None:
    answers_http = scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {})
    if isinstance(refusal, HTTPException) and not answers_http:
        await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
        return

    async def raise_refusal(*_: object) -> None:
        raise refusal

    # The application's own exception handlers stand further in than any middleware, so they are asked here.
    handlers = getattr(scope.get("app"), "exception_handlers", None)
    await ExceptionMiddleware(raise_refusal, handlers)(scope, receive, send)
