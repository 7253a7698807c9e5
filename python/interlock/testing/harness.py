"""Isolation as a property: for any two orgs, nothing one writes can be seen, changed or inferred by the other."""

from __future__ import annotations

import atexit
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from interlock.errors import HarnessError, IsolationLeak
from interlock.testing.layers import Layer, layers
from interlock.testing.play import Play
from interlock.testing.report import Report
from interlock.testing.session import Plan, Session, SessionOptions
from interlock.testing.story import MATRIX
from interlock.testing.verdicts import Leak, Shared
from interlock.testing.world import OutOfTime

CreateOrg = Callable[..., Any]
SHRINKING_SECONDS = 6.0
HeadersFor = Callable[[Any], Mapping[str, str] | Awaitable[Mapping[str, str]]]


class IsolationHarness:
    """Runs the isolation property against an application.

    ``IsolationHarness(app, create_org=…, headers_for=…)``, or a subclass that implements the reference protocol
    (``create_org``, ``write_as_org``, ``read_as_org``, ``list_all_read_endpoints``, ``list_all_write_endpoints``,
    ``reset_db``), sync or async.

    Args:
        app: the ASGI application. Its routes are enumerated, its lifespan is run.
        create_org: makes a new tenant and returns whatever identifies it (an id, a mapping or an object with ``id``
            or ``org_id``). Called without arguments, or with a name if it takes one.
        headers_for: the request headers that authenticate as that tenant.
        admin: DSN of a role that bypasses RLS, or a callable that returns an asyncpg connection. Without it the
            oracles that compare rows are reported as not run.
        base_url: send over HTTP to this address, where ``app`` is being served, instead of calling it.
        overrides: endpoint name → what to send: a mapping merged into the body and parameters, or a Hypothesis
            strategy for the whole body.
        shared: endpoint name → why every org sees the same there (a string or :class:`Shared`).
        vacuous: endpoint name → why it cannot succeed in a test.
        without: codes of oracles to leave out, such as ``{"O3"}``.
        on_reset: called before each example, for state outside the database.
        tenant_columns: names of the column that holds the tenant, in any table.

    Raises:
        HarnessError: the application does not start, ``create_org`` fails, or the admin cannot connect.

    """

    def __init__(
        self,
        app: Any = None,
        *,
        create_org: CreateOrg | None = None,
        headers_for: HeadersFor | None = None,
        admin: Any = None,
        base_url: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        shared: Mapping[str, str | Shared] | None = None,
        vacuous: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
        on_reset: Iterable[Callable[[], Any]] = (),
        tenant_columns: Iterable[str] | None = None,
    ) -> None:
        self._options = SessionOptions(
            app=app,
            create_org=create_org or getattr(self, "create_org", None),
            headers_for=headers_for or getattr(self, "headers_for", None),
            admin=admin,
            base_url=base_url,
            overrides=dict(overrides or {}),
            shared={name: one if isinstance(one, Shared) else Shared(one) for name, one in (shared or {}).items()},
            vacuous=dict(vacuous or {}),
            without=frozenset(without),
            on_reset=tuple(on_reset),
            tenant_columns=tuple(tenant_columns) if tenant_columns is not None else None,
            protocol=self if hasattr(self, "read_as_org") and hasattr(self, "write_as_org") else None,
        )
        self._session: Session | None = None
        self._entered = False

    # --- life

    def __enter__(self) -> Self:
        self._entered = True
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        self.close()

    def _open(self, deadline: float | None = None) -> Session:
        if self._session is None:
            self._session = Session(self._options, deadline)
            atexit.register(self.close)
        return self._session

    def close(self) -> None:
        """Shut the application down and close the admin connection; :meth:`run` does so itself."""
        session, self._session = self._session, None
        atexit.unregister(self.close)
        if session is not None:
            session.close()

    # --- use

    def endpoints(self) -> list[str]:
        """The names of the endpoints found, as ``"POST /people"``."""
        return [endpoint.name for endpoint in self._open().endpoints]

    def run(
        self, max_examples: int = 100, seed: int | None = None, *, max_seconds: float | None = 50.0, max_leaks: int = 1
    ) -> Report:
        """Test the property and report.

        Args:
            max_examples: how many examples to generate, spread over the endpoints.
            seed: the same seed generates the same examples; drawn if None, and shown in the report.
            max_seconds: send no request after this long, wherever the run is; what was not reached is reported. None
                for as long as it takes.
            max_leaks: stop after this many findings.

        """
        if max_examples < 1:
            raise ValueError(f"max_examples is {max_examples}, but at least 1 example is needed")
        return self._run(lambda targets: _shares(targets, max_examples), seed, max_seconds, max_leaks)

    def run_target(
        self, endpoint: str, max_examples: int = 20, seed: int | None = None, *, max_seconds: float | None = 50.0
    ) -> Report:
        """Probe one endpoint (``"POST /people"``), with everything else in use around it."""
        return self._run(lambda _: [(endpoint, max_examples)], seed, max_seconds, 1)

    def example(self, target: str = MATRIX) -> None:
        """Run the simplest example of one endpoint, or of all; raises :class:`~interlock.errors.IsolationLeak`."""
        self._open().play(Plan(target, None))

    def _run(
        self,
        share: Callable[[list[str]], list[tuple[str, int]]],
        seed: int | None,
        max_seconds: float | None,
        max_leaks: int,
    ) -> Report:
        chosen = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        started = time.monotonic()
        deadline = None if max_seconds is None else started + max_seconds
        try:
            session = self._open(deadline)
            session.begin_run(chosen, deadline)
            report = Report(chosen, [one.name for one in session.endpoints], session.oracle_titles(), session.coverage)
            shares = share(session.targets(chosen))
            for target, examples in shares:
                found = None if _is_past(deadline) else _search(session, target, examples, chosen, deadline)
                if found is not None:
                    report.leaks.append(found)
                    if len(report.leaks) >= max_leaks:
                        break
                elif _is_past(deadline):
                    report.notes.append(f"stopped after {max_seconds:g} s: {target} and what follows was not finished")
                    break
            session.conclude(report, [target for target, _ in shares])
            report.seconds = time.monotonic() - started
            return report
        finally:
            if not self._entered:
                self.close()

    def play(self) -> Play:
        """Two new orgs to drive step by step, as :class:`~interlock.testing.TenantStateMachine` does."""
        return Play(self._open())

    def layers(self, owner: str) -> dict[str, Layer]:
        """Which layer holds at each endpoint: plays once with row-level security and once without it.

        ``owner`` is the DSN of the role that owns the tables. It switches row-level security off for every table of
        the database and on again.
        """
        session = self._open()
        return session.run(self._layers(session, owner))

    @staticmethod
    async def _layers(session: Session, owner: str) -> dict[str, Layer]:
        import asyncpg

        connection = await asyncpg.connect(owner)
        try:
            return await layers(session, connection)
        finally:
            await connection.close()

    def check(self, data: st.DataObject, *, target: str | None = None) -> None:
        """Run one example drawn from ``data`` (``st.data()``) inside a user's own Hypothesis test.

        Raises:
            IsolationLeak: the example leaked; the message has the transcript.

        """
        session = self._open()
        chosen = target or data.draw(st.sampled_from(session.targets(0)), label="target")
        session.example(data, chosen)


def isolation_property(
    harness: IsolationHarness, *, max_examples: int = 100, target: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Turn a function into a Hypothesis test of the property; its body runs after each example that held.

    ``target`` (``"POST /people"``) restricts it to one endpoint, as a reported ``@reproduce_failure`` needs.
    """

    def decorate(body: Callable[..., Any]) -> Callable[..., None]:
        def example(data: st.DataObject) -> None:
            harness.check(data, target=target)
            body()

        example.__name__ = body.__name__
        example.__doc__ = body.__doc__
        example.__module__ = body.__module__
        example.__qualname__ = body.__qualname__
        return _settings(max_examples)(given(data=st.data())(example))

    return decorate


def _settings(max_examples: int) -> settings:
    return settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
    )


def _shares(targets: list[str], examples: int) -> list[tuple[str, int]]:
    """One example over everything, then every endpoint once before any twice: coverage first, randomness second."""
    single = targets[1:]
    if not single or examples == 1:
        return [(targets[0], 1)]
    each, more = divmod(examples - 1, len(single))
    shares = [(target, each + (position < more)) for position, target in enumerate(single)]
    return [(targets[0], 1), *((target, share) for target, share in shares if share)]


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline


def _search(session: Session, target: str, examples: int, run_seed: int, deadline: float | None) -> Leak | None:
    """Generate examples for one target; the shrunk finding, or None."""
    if target == MATRIX:
        return _once(session, run_seed)
    first: list[Leak] = []
    failing: dict[str, IsolationLeak] = {}
    shrinking_until: list[float] = []

    @seed(random.Random(f"{run_seed} {target}").getrandbits(64))
    @_settings(examples)
    @given(data=st.data())
    def prop(data: st.DataObject) -> None:
        plan = session.draw(data, target)
        if _is_past(deadline) or _is_past(min(shrinking_until, default=None)):
            if repr(plan) in failing:
                raise failing[repr(plan)]
            return  # long enough: keep the smallest that has failed
        try:
            session.play(plan)
        except OutOfTime:
            return
        except IsolationLeak as error:
            if isinstance(error.leak, Leak):
                first.append(error.leak)
            failing[repr(plan)] = error
            shrinking_until[:] = shrinking_until or [time.monotonic() + SHRINKING_SECONDS]
            raise

    try:
        prop()
    except IsolationLeak as error:
        found = error.leak if isinstance(error.leak, Leak) else first[0]
        return _replayable(found, target, run_seed, getattr(error, "__notes__", ()))
    except (Flaky, BaseExceptionGroup):
        if not first:
            raise
        return _replayable(first[0], target, run_seed, ("it did not recur at once: it depends on timing or history",))
    return None


def _once(session: Session, run_seed: int) -> Leak | None:
    """The example over every endpoint draws nothing, so there is nothing to shrink or to generate again."""
    try:
        session.play(Plan(MATRIX, None))
    except OutOfTime:
        session.cut_short = True
    except IsolationLeak as error:
        if isinstance(error.leak, Leak):
            return replace(error.leak, reproduce=f"run(max_examples=1, seed={run_seed})")
        raise
    return None


def _replayable(found: Leak, target: str, run_seed: int, notes: Iterable[str]) -> Leak:
    blob = next(
        (note[note.index("@reproduce_failure") :].strip() for note in notes if "@reproduce_failure" in note), ""
    )
    told = [note for note in notes if "did not recur" in note]
    how = f'{blob or f"run(seed={run_seed})"} over @isolation_property(harness, target="{target}")'
    return replace(found, reproduce="; ".join([how.split(" over")[0] if not blob else how, *told]))


__all__ = ["HarnessError", "IsolationHarness", "isolation_property"]
