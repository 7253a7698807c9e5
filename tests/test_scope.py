"""Entering and leaving scopes: the table of rules, what ends a frame, and what is refused."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interlock.errors import TenantInvariantError
from interlock.tenancy import (
    BreakGlass,
    InvalidReason,
    ScopeConflict,
    ScopeEnded,
    ScopeEscalation,
    ScopeMissing,
    current_org_id,
    current_scope,
    pre_org_resolution_scope,
    tenant_scope,
)
from interlock.tenancy.scope import FreshRoot, current_frame, frame_allows, require_frame

# --- the table


def test_no_scope() -> None:
    assert current_scope() is None
    assert current_org_id() is None
    with pytest.raises(ScopeMissing, match=r"tenant_scope\(org_id\).*pre_org_resolution_scope\(reason\)"):
        require_frame()


def test_a_tenant_scope() -> None:
    with tenant_scope("A") as scope:
        assert current_scope() is scope
        assert (scope.org_id, scope.pre_resolution, scope.reason) == ("A", False, None)
        assert current_org_id() == "A"
        assert require_frame() is scope
    assert current_scope() is None


def test_a_pre_resolution_scope_records_its_reason() -> None:
    with pre_org_resolution_scope("login") as scope:
        assert current_scope() is scope
        assert (scope.org_id, scope.pre_resolution, scope.reason) == (None, True, "login")
        assert current_org_id() is None
        with pre_org_resolution_scope(reason="retention sweep") as inner:
            assert inner.reason == "retention sweep"
        assert current_scope() is scope


def test_a_daemon_iterates_over_tenants() -> None:
    with pre_org_resolution_scope("sweep") as outer:
        for org in ("A", "B", "C"):
            try:
                with tenant_scope(org):
                    assert current_org_id() == org
                    if org == "B":
                        raise LookupError(org)
            except LookupError:
                pass
            assert current_scope() is outer


def test_the_same_tenant_again_is_a_frame_of_its_own() -> None:
    with tenant_scope("A") as outer:
        with tenant_scope("A") as inner:
            assert inner is not outer
            assert inner == outer
        assert current_scope() is outer


def test_another_tenant_is_a_conflict() -> None:
    with tenant_scope("victim-7f"):
        with pytest.raises(ScopeConflict) as refusal:
            tenant_scope("attacker-9c").__enter__()
        assert current_org_id() == "victim-7f"
    assert "victim-7f" not in str(refusal.value)
    assert "attacker-9c" not in str(refusal.value)


async def test_escalation_is_refused_in_the_tenant_and_in_what_copied_its_context() -> None:
    def escalate() -> None:
        with pytest.raises(ScopeEscalation), pre_org_resolution_scope("sneaky"):
            pass

    async def escalate_in_task() -> None:
        escalate()

    with tenant_scope("A"):
        escalate()
        await asyncio.create_task(escalate_in_task())
        await asyncio.to_thread(escalate)


async def test_every_refusal_is_a_tenant_invariant_error() -> None:
    for error in (ScopeMissing, ScopeEnded, ScopeConflict, ScopeEscalation, InvalidReason):
        assert issubclass(error, TenantInvariantError)


# --- the end of a frame


async def test_a_frame_dies_for_every_copy_of_its_context() -> None:
    release = asyncio.Event()

    async def late() -> None:
        await release.wait()
        for look in (current_scope, current_org_id, require_frame):
            with pytest.raises(ScopeEnded, match="spawn_scoped"):
                look()
        for scope in (tenant_scope("A"), tenant_scope("B"), pre_org_resolution_scope("late")):
            with pytest.raises(ScopeEnded):
                scope.__enter__()
        frame = current_frame()
        assert frame is not None
        assert not frame.alive

    with tenant_scope("A"):
        task = asyncio.create_task(late())
    release.set()
    await task


async def test_a_frame_inside_an_ended_one_lives_on_and_then_nothing_is_current() -> None:
    release = asyncio.Event()

    async def work() -> None:
        with tenant_scope("A"):
            await release.wait()
            assert current_org_id() == "A"
        assert current_scope() is None

    with tenant_scope("A"):
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
    release.set()
    await task


async def test_a_task_of_a_tenant_never_falls_into_the_scope_around_it() -> None:
    release = asyncio.Event()

    async def work() -> None:
        with tenant_scope("A"):
            await release.wait()
        with pytest.raises(ScopeEnded):
            current_scope()

    with pre_org_resolution_scope("daemon"):
        with tenant_scope("A"):
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
        release.set()
        await task


def test_scopes_left_in_the_order_of_entry() -> None:
    with pre_org_resolution_scope("outermost") as outermost:
        first, second = tenant_scope("A"), tenant_scope("A")
        first.__enter__()
        inner = second.__enter__()
        first.__exit__()
        assert current_scope() is inner
        second.__exit__()
        assert current_scope() is outermost


def test_leaving_in_another_context_does_not_mask_the_exception() -> None:
    def endpoint() -> Iterator[None]:
        with tenant_scope("A"):
            yield

    generator = endpoint()
    contextvars.copy_context().run(next, generator)
    assert current_scope() is None
    with pytest.raises(LookupError, match="the endpoint's own"):
        contextvars.copy_context().run(generator.throw, LookupError("the endpoint's own"))


async def test_an_async_generator_closed_by_another_task_leaves_its_consumer_in_a_dead_scope() -> None:
    async def items() -> AsyncIterator[int]:
        with tenant_scope("A"):
            yield 1

    async def consume() -> None:
        generator = items()
        await anext(generator)
        assert current_org_id() == "A"
        await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
        with pytest.raises(ScopeEnded):
            current_scope()

    await asyncio.create_task(consume())
    assert current_scope() is None


def test_a_block_that_raises_is_left_and_its_exception_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError) as raised, tenant_scope("A"):
        _ = 1 / 0
    assert raised.value.__context__ is None
    assert current_scope() is None


# --- threads, executors


async def test_who_sees_the_scope() -> None:
    bare: list[Any] = []
    with tenant_scope("A"):
        assert await asyncio.to_thread(current_org_id) == "A"
        assert await asyncio.create_task(with_no_change()) == "A"
        assert await asyncio.wait_for(with_no_change(), 10) == "A"
        assert await asyncio.gather(with_no_change(), with_no_change()) == ["A", "A"]
        with ThreadPoolExecutor(1) as executor:
            assert await asyncio.get_running_loop().run_in_executor(executor, current_org_id) is None
        thread = threading.Thread(target=lambda: bare.append(current_scope()))
        thread.start()
        thread.join()
    assert bare == [None]


async def with_no_change() -> Any:
    await asyncio.sleep(0)
    return current_org_id()


def test_many_threads_enter_one_scope_object() -> None:
    shared = tenant_scope("A")
    barrier = threading.Barrier(8)

    def work(_: int) -> bool:
        barrier.wait()
        for _ in range(500):
            with shared as scope:
                if not (current_scope() is scope and scope.alive):
                    return False
            if scope.alive or current_scope() is not None:
                return False
        return True

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(8)))


# --- break glass


def test_break_glass_is_the_only_way_from_a_tenant_to_all() -> None:
    glass = BreakGlass("support console")
    with tenant_scope("A") as tenant:
        with pre_org_resolution_scope("ticket 4711", capability=glass) as scope:
            assert (scope.pre_resolution, scope.reason) == (True, "ticket 4711")
            with tenant_scope("B"):
                assert current_org_id() == "B"
        assert current_scope() is tenant
    assert repr(glass) == "BreakGlass('support console')"


@pytest.mark.parametrize("forged", [True, "support console", object()])
def test_break_glass_cannot_be_forged(forged: Any) -> None:
    with pytest.raises(TypeError):
        pre_org_resolution_scope("ticket", capability=forged)


def test_break_glass_is_made_at_start_up_not_inside_a_tenant() -> None:
    with pre_org_resolution_scope("start-up"):
        BreakGlass("made here")
    with tenant_scope("A"), pytest.raises(ScopeEscalation):
        BreakGlass("too late")
    with pytest.raises(InvalidReason):
        BreakGlass(" ")


# --- reasons


@pytest.mark.parametrize("reason", ["", "   ", "\n\t", None, 5, b"login", "\ud800"])
def test_a_reason_is_mandatory(reason: Any) -> None:
    with pytest.raises(InvalidReason) as refusal:
        pre_org_resolution_scope(reason)
    assert isinstance(refusal.value, ValueError)
    with pytest.raises(TypeError):
        pre_org_resolution_scope()  # type: ignore[call-arg]


# --- connections


def test_a_connection_of_a_frame_serves_the_frames_of_its_org_inside_it() -> None:
    with tenant_scope("A") as outer:
        frame_allows(outer)
        with tenant_scope("A") as inner:
            frame_allows(outer)
            frame_allows(inner)
        with pytest.raises(ScopeEnded):
            frame_allows(inner)
        contextvars.Context().run(expect, ScopeMissing, outer)
    with pytest.raises(ScopeEnded):
        frame_allows(outer)


def test_an_admin_connection_serves_its_own_frame_alone() -> None:
    with pre_org_resolution_scope("daemon") as admin:
        frame_allows(admin)
        for scope in (tenant_scope("A"), pre_org_resolution_scope("inner")):
            with scope, pytest.raises(ScopeConflict, match="acquired in another scope"):
                frame_allows(admin)


def test_a_connection_does_not_serve_a_sibling() -> None:
    with pre_org_resolution_scope("daemon"), tenant_scope("A") as mine, FreshRoot(), tenant_scope("A"):
        expect(ScopeConflict, mine)


def test_a_tenants_connection_does_not_serve_what_broke_the_glass() -> None:
    glass = BreakGlass("console")
    with tenant_scope("A") as mine, pre_org_resolution_scope("ticket", capability=glass):
        expect(ScopeConflict, mine)
        with tenant_scope("B"):
            expect(ScopeConflict, mine)
        with tenant_scope("A"):
            frame_allows(mine)


def expect(error: type[TenantInvariantError], frame: Any) -> None:
    with pytest.raises(error):
        frame_allows(frame)


# --- the context object


def test_contexts_are_values() -> None:
    org = uuid.uuid4()
    with pre_org_resolution_scope("x") as admin:
        with tenant_scope(org) as a:
            pass
        with tenant_scope(str(org).upper()) as b:
            assert repr(b) == f"TenantContext(org_id={str(org).upper()!r})"
        with tenant_scope("other") as c, pytest.raises(AttributeError):
            c.org_id = org  # type: ignore[misc]
    assert a == b
    assert hash(a) == hash(b)
    assert len({a, b, c, admin}) == 3
    assert repr(admin) == "TenantContext(pre_resolution=True, reason='x', ended)"


def test_a_fresh_root_hides_the_scope_and_brings_it_back() -> None:
    with tenant_scope("A") as scope:
        with FreshRoot():
            assert current_scope() is None
            with tenant_scope("B"):
                pass
        assert current_scope() is scope


# --- the package


def test_scopes_need_neither_asyncpg_nor_starlette() -> None:
    probe = "import sys, interlock.tenancy; print({'asyncpg', 'starlette', 'fastapi'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


class Plan(enum.StrEnum):
    HOSTILE = "'; DROP TABLE orgs; --"


def test_a_traceback_does_not_repeat_a_hostile_id() -> None:
    with pytest.raises(TenantInvariantError) as refusal:
        tenant_scope(Plan.HOSTILE)
    assert "DROP TABLE" not in "".join(traceback.format_exception(refusal.value))
