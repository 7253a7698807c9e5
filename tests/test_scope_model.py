"""Random programs of scopes, tasks, threads, executors, generators and cancellations, against a slow model.

The program is run once; at each step the model is told what happened, and must agree on who is current.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import ScopeConflict, ScopeEnded, ScopeEscalation, ScopeMissing, TenantInvariantError
from interlock.tenancy import BreakGlass, TenantContext, pre_org_resolution_scope, spawn_scoped, tenant_scope
from interlock.tenancy.scope import Scope, current_frame, frame_allows

ADMIN = "admin"  # any other name is a tenant
CAPABILITY = BreakGlass("test")


# --- the model


@dataclass(eq=False)
class Frame:
    who: str
    parent: Frame | None
    alive: bool = True
    real: TenantContext | None = None

    def ancestors(self) -> Iterator[Frame]:
        frame = self.parent
        while frame is not None:
            yield frame
            frame = frame.parent


@dataclass
class Context:
    """A context variable of which every task and thread has its own."""

    current: Frame | None = None

    def copy(self) -> Context:
        return Context(self.current)

    def refusal(self, who: str, capability: bool) -> type[TenantInvariantError] | None:
        if self.current is None:
            return None
        if not self.current.alive:
            return ScopeEnded
        if self.current.who in (ADMIN, who):
            return None
        if who != ADMIN:
            return ScopeConflict
        return None if capability else ScopeEscalation

    def exit(self, frame: Frame) -> None:
        frame.alive = False
        inside = self.current is not None and frame in self.current.ancestors()
        if self.current is not frame and not inside:
            return
        if inside and self.current is not None and self.current.alive:
            for inner in [self.current, *self.current.ancestors()]:
                if inner.parent is frame:
                    inner.parent = frame.parent
            return
        crossed = []
        for ancestor in frame.ancestors():
            if ancestor.alive:
                if all(dead.who in (ADMIN, ancestor.who) for dead in crossed):
                    self.current = ancestor
                return
            crossed.append(ancestor)
        self.current = None

    def use_refusal(self, owner: Frame) -> type[TenantInvariantError] | None:
        if not owner.alive:
            return ScopeEnded
        if self.current is None:
            return ScopeMissing
        if self.current is owner:
            return None
        if not self.current.alive:
            return ScopeEnded
        nested = owner.who != ADMIN and owner.who == self.current.who and owner in self.current.ancestors()
        return None if nested else ScopeConflict


# --- programs


@dataclass(frozen=True)
class Step:
    kind: str
    who: str = "a"
    capability: bool = False
    wait: int = 0
    body: tuple[Step, ...] = ()


def programs() -> st.SearchStrategy[tuple[Step, ...]]:
    leaf = st.builds(Step, st.sampled_from(["probe", "sleep"]))

    def grow(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
        body = st.lists(inner, max_size=4).map(tuple)
        who = st.sampled_from(["a", "a", "b", ADMIN])
        scopes = st.sampled_from(["with", "async with", "exit elsewhere", "generator", "crossed"])
        branches = st.sampled_from(["task", "late task", "cancelled", "to_thread", "thread", "executor", "spawn"])
        return st.one_of(
            st.builds(Step, scopes, who, st.booleans(), st.integers(0, 4), body),
            st.builds(Step, branches, st.just("a"), st.just(False), st.integers(0, 4), body),
        )

    program = st.lists(st.recursive(leaf, grow, max_leaves=14), max_size=6).map(tuple)
    return st.one_of(program, st.builds(handed_to_a_task, program, *[st.integers(0, 6)] * 3))


def handed_to_a_task(body: tuple[Step, ...], inside: int, after: int, around: int) -> tuple[Step, ...]:
    """A task that is handed a tenant's scope, and outlives it while the scope around it goes on."""
    sleep = (Step("sleep"),)
    task = Step("late task", body=(Step("with", body=body + sleep * inside), *sleep * inside, *body))
    tenant = Step("with", body=(task, *sleep * after))
    return (Step("with", ADMIN, body=(tenant, *sleep * around)),)


@dataclass
class Interpreter:
    frames: list[Frame] = field(default_factory=list)
    late: list[asyncio.Task[Any]] = field(default_factory=list)
    # A step and its model are one: another thread must not come between.
    lock: Any = field(default_factory=threading.RLock)

    async def run(self, steps: tuple[Step, ...], context: Context) -> None:
        for step in steps:
            self.check(context)
            await getattr(self, "do_" + step.kind.replace(" ", "_"))(step, context)
        self.check(context)

    def check(self, context: Context) -> None:
        with self.lock:
            real = current_frame()
            assert real is (context.current.real if context.current else None)
            for frame in self.frames:
                assert frame.real is not None
                assert frame.real.alive == frame.alive
                with self.refused(context.use_refusal(frame)):
                    frame_allows(frame.real)

    @contextmanager
    def refused(self, expected: type[TenantInvariantError] | None) -> Iterator[None]:
        try:
            yield
        except TenantInvariantError as error:
            assert type(error) is expected, (expected, error)  # noqa: PT017 - also None must be checked
        else:
            assert expected is None

    def enter(self, step: Step, context: Context) -> tuple[Scope, Frame] | None:
        """Enter a scope here and in the model, or be refused by both."""
        with self.lock:
            scope = scope_of(step)
            entered = None
            with self.refused(context.refusal(step.who, step.capability)):
                entered = scope.__enter__()
            return None if entered is None else (scope, self.entered(step.who, entered, context))

    def entered(self, who: str, real: TenantContext, context: Context) -> Frame:
        frame = Frame(who, context.current, real=real)
        self.frames.append(frame)
        context.current = frame
        return frame

    def leave(self, entered: tuple[Scope, Frame] | None, context: Context) -> None:
        if entered is not None:
            with self.lock:
                entered[0].__exit__(None, None, None)
                context.exit(entered[1])

    # scopes

    async def do_with(self, step: Step, context: Context) -> None:
        entered = self.enter(step, context)
        try:
            await self.run(step.body, context)
        finally:
            self.leave(entered, context)

    async def do_async_with(self, step: Step, context: Context) -> None:
        scope, frame = scope_of(step), None
        with self.lock, self.refused(context.refusal(step.who, step.capability)):
            frame = self.entered(step.who, await scope.__aenter__(), context)
        try:
            await self.run(step.body, context)
        finally:
            if frame is not None:
                with self.lock:
                    await scope.__aexit__(None, None, None)
                    context.exit(frame)

    async def do_exit_elsewhere(self, step: Step, context: Context) -> None:
        entered = self.enter(step, context)
        try:
            await self.run(step.body, context)
        finally:
            await asyncio.to_thread(self.leave, entered, context.copy())

    async def do_crossed(self, step: Step, context: Context) -> None:
        """Two scopes left in the order in which they were entered."""
        outer, inner = self.enter(step, context), self.enter(step, context)
        try:
            await self.run(step.body, context)
        finally:
            self.leave(outer, context)
            self.check(context)
            self.leave(inner, context)

    async def do_generator(self, step: Step, context: Context) -> None:
        """An async generator: between two items its scope is its consumer's."""
        closed_in = [context]
        generator = self.generator(step, closed_in)
        await anext(generator)
        try:
            await self.run(step.body, context)
        finally:
            if step.wait % 2:  # finalised by another task, the consumer stays in the dead frame
                closed_in[0] = context.copy()
                await asyncio.create_task(generator.aclose())
            else:
                await generator.aclose()

    async def generator(self, step: Step, closed_in: list[Context]) -> AsyncGenerator[None, None]:
        entered = self.enter(step, closed_in[0])
        try:
            yield
        finally:
            self.leave(entered, closed_in[0])

    # branches

    async def do_probe(self, step: Step, context: Context) -> None:
        self.check(context)

    async def do_sleep(self, step: Step, context: Context) -> None:
        await asyncio.sleep(0)

    async def do_task(self, step: Step, context: Context) -> None:
        await asyncio.create_task(self.run(step.body, context.copy()))

    async def do_late_task(self, step: Step, context: Context) -> None:
        self.late.append(asyncio.create_task(self.late_run(step, context.copy())))

    async def late_run(self, step: Step, context: Context) -> None:
        for _ in range(step.wait * 3):
            await asyncio.sleep(0)
        await self.run(step.body, context)

    async def do_cancelled(self, step: Step, context: Context) -> None:
        task = asyncio.create_task(self.run(step.body, context.copy()))
        for _ in range(step.wait):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def do_to_thread(self, step: Step, context: Context) -> None:
        await asyncio.to_thread(self.in_thread, step, context.copy())

    async def do_executor(self, step: Step, context: Context) -> None:
        with ThreadPoolExecutor(1) as executor:
            await asyncio.get_running_loop().run_in_executor(executor, self.in_thread, step, Context())

    async def do_thread(self, step: Step, context: Context) -> None:
        failures: list[BaseException] = []

        def target() -> None:
            try:
                self.in_thread(step, Context())
            except BaseException as failure:  # noqa: BLE001 - carried over to the main thread
                failures.append(failure)

        thread = threading.Thread(target=target)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert failures == []

    def in_thread(self, step: Step, context: Context) -> None:
        asyncio.run(run_to_the_end(lambda program: program.run(step.body, context), self.frames, self.lock))

    async def do_spawn(self, step: Step, context: Context) -> None:
        current = context.current
        expected: type[TenantInvariantError] | None = None
        if current is None:
            expected = ScopeMissing
        elif current.who == ADMIN and not current.alive:
            expected = ScopeEnded
        with self.refused(expected):
            self.late.append(spawn_scoped(self.spawned(step, current)))

    async def spawned(self, step: Step, origin: Frame | None) -> None:
        assert origin is not None
        context = Context()
        real = current_frame()
        assert real is not None
        with self.lock:
            frame = self.entered(origin.who, real, context)
        try:
            await self.late_run(step, context)
        finally:
            # The scope itself is left by spawn_scoped, right after this.
            frame.alive = False
            self.frames.remove(frame)


def scope_of(step: Step) -> Scope:
    if step.who == ADMIN:
        return pre_org_resolution_scope("test", capability=CAPABILITY if step.capability else None)
    return tenant_scope(step.who)


async def run_to_the_end(
    main: Callable[[Interpreter], Coroutine[Any, Any, None]], frames: list[Frame], lock: Any
) -> None:
    program = Interpreter(frames, lock=lock)
    await main(program)
    while program.late:
        await program.late.pop(0)


@settings(max_examples=300, deadline=None)
@given(steps=programs())
def test_random_programs_agree_with_the_model(steps: tuple[Step, ...]) -> None:
    asyncio.run(run_to_the_end(lambda program: program.run(steps, Context()), [], threading.RLock()))
    assert current_frame() is None
