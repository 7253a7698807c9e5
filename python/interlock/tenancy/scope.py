"""Who the current code works for, held in a context variable.

A scope that is entered is a *frame*: immutable, shared by every copy of the context (tasks, threads), and dead
once its block ends. What may be entered from where:

===================================================== ==================================
from, to                                              result
===================================================== ==================================
none to tenant, none to pre-org, pre-org to any       allowed
tenant to the same tenant                             allowed (a frame of its own)
tenant to another tenant                              ``ScopeConflict``
tenant to pre-org                                     ``ScopeEscalation``, unless ``capability=``
anything, while the current frame is dead             ``ScopeEnded``
===================================================== ==================================
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from interlock import _native
from interlock._native import (
    BreakGlass,
    FreshRoot,
    TenantContext,
    canonical_org_id,
    current_frame,
    frame_allows,
    require_frame,
)
from interlock.errors import ScopeEnded, ScopeMissing

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "BreakGlass",
    "FreshRoot",
    "OrgId",
    "Scope",
    "TenantContext",
    "canonical_org_id",
    "current_frame",
    "current_org_id",
    "current_scope",
    "frame_allows",
    "pre_org_resolution_scope",
    "require_frame",
    "spawn_scoped",
    "tenant_scope",
    "with_tenant",
]

OrgId: TypeAlias = int | str | UUID
"""An int (not bool), a UUID, or a str matching ``[A-Za-z0-9_.:@-]{1,128}`` in full.

Two ids are the same org if their canonical texts are equal: decimal for an int, lower case with hyphens for a UUID
and for its 8-4-4-4-12 text, and any other str as it stands.
"""

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


class Scope(Protocol):
    """What ``tenant_scope`` and ``pre_org_resolution_scope`` return.

    Usable with ``with``, with ``async with``, and as a decorator of functions and async functions, where each call
    has a frame of its own. One object may be entered again, also while it is entered.
    """

    def __enter__(self) -> TenantContext: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...
    async def __aenter__(self) -> TenantContext: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...
    def __call__(self, function: Function, /) -> Function:
        """Decorate a function or an async function. Raises ``TypeError`` for a generator."""


class _PreOrgResolutionScope(Protocol):
    def __call__(self, reason: str, *, capability: BreakGlass | None = None) -> Scope: ...


# The native functions themselves, not wrapped: a scope is entered on every request.
tenant_scope: Callable[[OrgId], Scope] = _native.tenant_scope
pre_org_resolution_scope: _PreOrgResolutionScope = _native.pre_org_resolution_scope
current_scope: Callable[[], TenantContext | None] = _native.current_scope
current_org_id: Callable[[], OrgId | None] = _native.current_org_id


async def with_tenant(org_id: OrgId, function: Callable[[], Awaitable[T] | T]) -> T:
    """Call ``function`` in the scope of ``org_id``, and await there what it returns if that is awaitable.

    Raises:
        InvalidOrgId, ScopeConflict, ScopeEnded: as ``tenant_scope``.
        TypeError: ``function`` is not callable, such as a coroutine that was made outside the scope.

    """
    if not callable(function):
        if inspect.iscoroutine(function):
            function.close()
        raise TypeError("with_tenant(org_id, function) calls the function inside the scope: pass it uncalled")
    with tenant_scope(org_id):
        result = function()
        return await result if inspect.isawaitable(result) else result


# The event loop holds its tasks weakly; a task that nobody awaits must live until it is done.
_spawned: set[asyncio.Task[Any]] = set()


def spawn_scoped(coroutine: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
    """Run ``coroutine`` in a new task, in a frame of its own for the same org: it may outlive the current scope.

    This works where the current frame is dead, too. The other context variables are copied as usual. A living
    pre-resolution scope is carried on with its reason; an ended one is not: its privilege is over.

    Raises:
        ScopeMissing: there is no scope to carry on.
        ScopeEnded: the current frame is an ended pre-resolution scope.

    """
    try:
        scope = _same_scope()
    except BaseException:
        coroutine.close()
        raise
    # The task copies the context; to enter a copy made here would be too early for a task that starts eagerly.
    task = asyncio.get_running_loop().create_task(_in_scope(scope, coroutine), name=name)
    _spawned.add(task)
    task.add_done_callback(_spawned.discard)
    # Cancelled before its first step, the task never touches the coroutine, which then warns.
    task.add_done_callback(lambda _: coroutine.close())
    return task


def _same_scope() -> Scope:
    frame = current_frame()
    if frame is None:
        raise ScopeMissing("spawn_scoped carries the current scope on, and there is none: open tenant_scope(org_id)")
    if not frame.pre_resolution:
        return tenant_scope(cast("OrgId", frame.org_id))
    if not frame.alive:
        raise ScopeEnded("this pre_org_resolution_scope has ended, and its privilege with it: open a new one")
    return pre_org_resolution_scope(cast("str", frame.reason))


async def _in_scope(scope: Scope, coroutine: Coroutine[Any, Any, T]) -> T:
    # The copied frame may die first, so the new one must not be nested in it.
    with FreshRoot(), scope:
        return await coroutine
