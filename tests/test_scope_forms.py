"""The ways to open a scope: `with`, `async with`, decorator, `with_tenant`, `spawn_scoped`."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from interlock.tenancy import (
    InvalidReason,
    ScopeConflict,
    ScopeEnded,
    ScopeMissing,
    current_org_id,
    current_scope,
    pre_org_resolution_scope,
    spawn_scoped,
    tenant_scope,
    with_tenant,
)
from interlock.tenancy.scope import require_frame


async def with_no_change() -> Any:
    await asyncio.sleep(0)
    return current_org_id()


# --- one scope object


def test_a_scope_object_may_be_entered_again() -> None:
    scope = tenant_scope("A")
    for _ in range(2):
        with scope as outer, scope as inner:
            assert inner is not outer
            assert current_scope() is inner
        assert not outer.alive
        assert not inner.alive
    assert current_scope() is None


async def test_a_scope_object_entered_by_two_tasks_leaves_each_tasks_own_frame() -> None:
    shared = tenant_scope("A")
    first_may_go, second_is_in = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        with shared as scope:
            await second_is_in.wait()
        assert not scope.alive
        first_may_go.set()

    async def second() -> None:
        with shared as scope:
            second_is_in.set()
            await first_may_go.wait()
            assert scope.alive
            assert current_scope() is scope

    await asyncio.gather(first(), second())


def test_leaving_what_was_not_entered_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not entered"):
        tenant_scope("A").__exit__(None, None, None)


async def test_exit_stacks_and_async_with() -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pre_org_resolution_scope("stack"))
        scope = await stack.enter_async_context(tenant_scope("A"))
        assert current_scope() is scope
    with ExitStack() as stack:
        stack.enter_context(tenant_scope("A"))
        assert current_org_id() == "A"
    with pytest.raises(ZeroDivisionError):
        async with tenant_scope("A"):
            _ = 1 / 0
    with pytest.raises(ScopeConflict):
        async with tenant_scope("A"), tenant_scope("B"):
            pass
    assert current_scope() is None


# --- decorators


def test_a_decorated_function_runs_in_a_fresh_frame_each_time() -> None:
    @tenant_scope("A")
    def name(value: int, *, twice: bool = False) -> tuple[int, Any]:
        """Documented."""
        return (value * (1 + twice), require_frame())

    (four, first), (three, second) = name(2, twice=True), name(3)
    assert (four, three) == (4, 3)
    assert first is not second
    assert not first.alive
    assert (name.__name__, name.__doc__) == ("name", "Documented.")
    assert current_scope() is None


async def test_a_decorated_async_function() -> None:
    @pre_org_resolution_scope("nightly")
    async def nightly(depth: int) -> str | None:
        await asyncio.sleep(0)
        scope = current_scope()
        return scope.reason if scope and depth == 0 else await nightly(depth - 1)

    assert inspect.iscoroutinefunction(nightly)
    assert await nightly(3) == "nightly"
    assert set(await asyncio.gather(*(nightly(n % 3) for n in range(20)))) == {"nightly"}


async def test_what_else_may_be_decorated() -> None:
    class Service:
        @tenant_scope("A")
        async def method(self) -> Any:
            return current_org_id()

        @classmethod
        @tenant_scope("A")
        def of_class(cls) -> Any:
            return current_org_id()

        async def __call__(self) -> Any:
            return current_org_id()

    assert await Service().method() == "A"
    assert Service.of_class() == "A"
    assert await tenant_scope("A")(Service())() == "A"
    assert await tenant_scope("A")(functools.partial(with_no_change))() == "A"


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


class IteratesWhenCalled:
    def __call__(self) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    "function", [generator, async_generator, functools.partial(generator), IteratesWhenCalled(), int, 5, None]
)
def test_what_may_not_be_decorated(function: Any) -> None:
    with pytest.raises(TypeError, match=r"a scope (cannot decorate a generator|decorates a function)"):
        tenant_scope("A")(function)


def test_work_that_would_run_after_the_scope_is_refused() -> None:
    for function in (lambda: with_no_change(), lambda: generator(), lambda: async_generator()):
        decorated: Callable[[], Any] = tenant_scope("A")(function)
        with pytest.raises(TypeError, match="after its scope has ended"):
            decorated()
    gc.collect()  # a coroutine left unawaited would warn here


def test_a_decorator_without_its_reason_is_a_clear_error() -> None:
    with pytest.raises(InvalidReason, match="give a reason"):

        @pre_org_resolution_scope  # type: ignore[arg-type]
        def forgotten() -> None: ...


# --- with_tenant


async def test_with_tenant_calls_and_awaits_inside_the_scope() -> None:
    assert await with_tenant("A", with_no_change) == "A"
    assert await with_tenant("A", current_org_id) == "A"
    with pytest.raises(ScopeConflict), tenant_scope("B"):
        await with_tenant("A", with_no_change)
    coroutine = with_no_change()
    with pytest.raises(TypeError, match="uncalled"):
        await with_tenant("A", coroutine)  # type: ignore[arg-type]


# --- spawn_scoped


async def test_spawned_work_outlives_the_scope() -> None:
    release = asyncio.Event()
    other: contextvars.ContextVar[str] = contextvars.ContextVar("other")
    other.set("copied")

    async def work() -> tuple[Any, str, bool]:
        await release.wait()
        return current_org_id(), other.get(), require_frame().alive

    org = uuid.uuid4()
    with tenant_scope(org) as scope:
        task = spawn_scoped(work(), name="work")
        assert task.get_name() == "work"
    release.set()
    assert await task == (org, "copied", True)
    assert not scope.alive


async def test_spawning_works_in_a_dead_frame() -> None:
    release = asyncio.Event()

    async def late() -> Any:
        await release.wait()
        return await spawn_scoped(with_no_change())

    with tenant_scope("A"):
        task = asyncio.create_task(late())
    release.set()
    assert await task == "A"


async def test_a_privilege_is_carried_on_only_while_it_lasts() -> None:
    release = asyncio.Event()

    async def reason() -> str | None:
        return require_frame().reason

    async def late() -> None:
        await release.wait()
        with pytest.raises(ScopeEnded, match="privilege"):
            spawn_scoped(reason())

    with pre_org_resolution_scope("retention"):
        alive, task = spawn_scoped(reason()), asyncio.create_task(late())
    assert await alive == "retention"
    release.set()
    await task


async def test_spawning_needs_a_scope() -> None:
    with pytest.raises(ScopeMissing):
        spawn_scoped(with_no_change())
    gc.collect()


async def test_spawned_work_cancelled_before_its_first_step_warns_of_nothing() -> None:
    with tenant_scope("A"):
        task = spawn_scoped(with_no_change())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from Python 3.12 on")
async def test_tasks_that_start_eagerly() -> None:
    """They run up to their first await inside the call that makes them, and leave no scope behind in the caller."""
    release = asyncio.Event()

    async def work() -> tuple[object, object]:
        before = current_org_id()
        await release.wait()
        return before, current_org_id()

    async def opens(org: str) -> object:
        with tenant_scope(org):
            await asyncio.sleep(0)
            return current_org_id()

    async def at_once() -> object:
        return current_org_id()

    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        with tenant_scope("A"):
            spawned, bare = spawn_scoped(work()), asyncio.create_task(work())
            assert await spawn_scoped(at_once()) == "A"
        of_b = asyncio.create_task(opens("B"))
        assert current_scope() is None
        release.set()
        ended, *others = await asyncio.gather(bare, spawned, of_b, return_exceptions=True)
    finally:
        loop.set_task_factory(None)
    assert isinstance(ended, ScopeEnded)
    assert others == [("A", "A"), "B"]
