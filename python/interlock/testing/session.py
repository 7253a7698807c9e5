"""An application under test: started, enumerated, calibrated, and ready to play examples."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, TypeVar

from hypothesis import find
from hypothesis import strategies as st

from interlock.errors import HarnessError, IsolationLeak
from interlock.testing.calibrate import Calibration
from interlock.testing.client import LONG_POLL_SECONDS, REQUEST_SECONDS, AsgiClient
from interlock.testing.conclusion import conclude
from interlock.testing.exchange import Exchange
from interlock.testing.oracles import ORACLES, Oracle
from interlock.testing.orgs import awaited, make_org
from interlock.testing.payloads import Template, TemplateBuilder, referring
from interlock.testing.report import Report
from interlock.testing.routes import Discovery, Endpoint, discover
from interlock.testing.runner import SessionLoop
from interlock.testing.story import MATRIX, Story
from interlock.testing.strategies import Drawn
from interlock.testing.transports import HttpTransport, ProtocolTransport, protocol_discovery
from interlock.testing.truth import Truth
from interlock.testing.undeclared import undeclared
from interlock.testing.values import Mint
from interlock.testing.verdicts import Coverage, Leak, Shared
from interlock.testing.world import Learned, Org, OutOfTime, World

T = TypeVar("T")

PROOFS, ATTACKS = frozenset({"O1", "O2"}), frozenset({"O4", "O5", "O6", "O8", "O11"})
COMPARING = "O3"  # done with an example over everything when it has compared B's reads
CONFIRMING_SECONDS, MAX_REFUTED = 6.0, 3
CALIBRATION = 0.4  # of the time of a run, after which it does not try harder
ORG_ENDPOINT = 1023


@dataclass(frozen=True)
class SessionOptions:
    """The arguments of :class:`~interlock.testing.IsolationHarness`, checked and completed."""

    app: Any
    create_org: Callable[..., Any] | None
    headers_for: Callable[..., Any] | None
    admin: Any = None
    base_url: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shared: Mapping[str, Shared] = field(default_factory=dict)
    vacuous: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    on_reset: tuple[Callable[[], Any], ...] = ()
    tenant_columns: tuple[str, ...] | None = None
    protocol: Any = None


@dataclass(frozen=True)
class Plan:
    """What an example does: the endpoint in focus (or all of them) and the structure of the payload sent to it."""

    target: str
    template: Template | None


class Session:
    """Owns the loop, the client and the admin connection of one harness."""

    def __init__(self, options: SessionOptions, deadline: float | None = None) -> None:
        if options.create_org is None or (options.headers_for is None and options.protocol is None):
            raise HarnessError("create_org= and headers_for= are needed: they make a tenant and authenticate as it")
        known = {oracle.code for oracle in ORACLES}
        if unknown := options.without - known:
            raise HarnessError(f"without= names {sorted(unknown)}; the oracles are {sorted(known)}")
        self.options = options
        self.deadline = deadline
        self.mint = Mint()
        self.coverage = Coverage()
        self.learned: dict[str, Learned] = {}
        self.seed_order: list[Endpoint] = []
        self.used_declarations: set[str] = set()
        self.roles: tuple[list[str], list[str]] = ([], [])
        self.truth: Truth | None = Truth(options.admin, options.tenant_columns) if options.admin else None
        self.discovery: Discovery = protocol_discovery(options.protocol) if options.protocol else discover(options.app)
        self._paths = [one.pattern for one in self.discovery.endpoints]
        self._public: set[bytes] | None = None
        self._clocks: set[str] = set()
        self._timed: set[str] = set()
        self.unconfirmed: list[str] = []
        self.cut_short = False
        self._run_seed = 0
        self._loop = SessionLoop()
        self._transport: Any = None
        self._org_ids: list[str] = []
        self._lasting_ids: list[str] = []  # C's rows stay: whoever serves the first org to everybody shows them
        self._calibrated: World | None = None
        try:
            self._loop.run(self._open())
        except BaseException:
            self.close()
            raise

    async def _open(self) -> None:
        if self.options.protocol is not None:
            self._transport = ProtocolTransport(self.options.protocol)
        elif self.options.base_url is not None:
            self._transport = HttpTransport(self.options.base_url)
        else:
            self._transport = AsgiClient(self.options.app)
        await self._transport.__aenter__()
        if self.truth is not None:
            await self.truth.open()
        world = self._world(observed=False)
        org = await self.create_org(world, "C")
        self._lasting_ids, self._org_ids = self._org_ids, []
        world.deadline = self.deadline

        async def another() -> Org:
            return await self.create_org(world, "C")

        until = None if self.deadline is None else time.monotonic() + CALIBRATION * (self.deadline - time.monotonic())
        calibration = Calibration(world, org, self.endpoints, self._override, another, until)
        self._transport.patience = LONG_POLL_SECONDS
        try:
            await calibration.run()
        except OutOfTime:
            self.cut_short = True
        self._transport.patience = REQUEST_SECONDS
        self._lasting_ids += self._org_ids
        self._org_ids = []
        self.seed_order = calibration.seed_order
        self._calibrated = world
        if self.truth is not None:
            await self.truth.look_for(calibration.org)
            await self.truth.recognise(calibration.org)
            self._lasting_ids += calibration.org.keys
            self.roles = await self.truth.bypassing_roles()

    def close(self) -> None:
        """Shut down in reverse order; safe to call after a failed start."""
        try:
            self._loop.run(self._close())
        finally:
            self._loop.close()

    async def _close(self) -> None:
        if self._transport is not None:
            await self._transport.__aexit__(None, None, None)
        if self.truth is not None:
            if self.truth.is_open:
                await self.truth.forget(
                    [*self._org_ids, *self._lasting_ids]
                )  # so that nothing here looks like a leak to a later session
            await self.truth.close()

    # --- what there is

    @property
    def endpoints(self) -> list[Endpoint]:
        """What was enumerated, in the order of the application."""
        return self.discovery.endpoints

    @property
    def lasting(self) -> list[Endpoint]:
        """The endpoints after which whoever called them still has a session."""
        return [one for one in self.endpoints if not self.learned[one.name].ends_session]

    def targets(self, seed: int) -> list[str]:
        """Everything at once, then each endpoint that works, writes and reads by turns, in an order of the seed's."""
        working = [one for one in self.lasting if self.learned[one.name].works]
        order = random.Random(seed)
        writes = [one.name for one in working if not one.is_read]
        reads = [one.name for one in working if one.is_read]
        order.shuffle(writes)
        order.shuffle(reads)
        turns = [name for pair in zip_longest(writes, reads) for name in pair if name is not None]
        return [MATRIX, *turns]

    def oracle_titles(self) -> dict[str, str]:
        """Code → title of the oracles that are asked."""
        return {one.code: one.title for one in self._oracles()}

    def _oracles(self) -> list[Oracle]:
        return [
            oracle()
            for oracle in ORACLES
            if oracle.code not in self.options.without and (self.truth is not None or not oracle.needs_truth)
        ]

    # --- running

    def begin_run(self, seed: int, deadline: float | None = None) -> None:
        """Start counting anew; what ends a session has been called already, once."""
        self._run_seed = seed
        self.deadline = deadline
        calibrated = self.coverage.last_failure
        ended = {name: 1 for name, one in self.learned.items() if one.ends_session}
        self.coverage = Coverage(last_failure=calibrated, sent=dict(ended), succeeded=ended)

    def draw(self, data: st.DataObject, target: str) -> Plan:
        """Draw the structure of an example."""
        if target == MATRIX:
            return Plan(target, None)
        endpoint = next((one for one in self.endpoints if one.name == target), None)
        if endpoint is None:
            raise HarnessError(
                f"there is no endpoint {target!r}: the application has {[one.name for one in self.endpoints]}"
            )
        override = self.options.overrides.get(target)
        learned = self.learned[target]
        template = referring(TemplateBuilder(endpoint, Drawn(data)).build(), learned.sources)
        guessed = endpoint.body is None or next(undeclared(endpoint), None) is not None
        if guessed or learned.template.media_type != template.media_type:
            template = replace(template, body=learned.template.body, media_type=learned.template.media_type)
        if isinstance(override, st.SearchStrategy):
            template.body = data.draw(override)
        else:
            template = self._override(endpoint, template)
        return Plan(target, template)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the session's loop and wait for it."""
        return self._loop.run(coroutine)

    def play(self, plan: Plan) -> None:
        """Run one example; raises :class:`~interlock.errors.IsolationLeak` if it leaked.

        What was shown is proof. What was inferred from a comparison must recur, with background work given time to
        come to rest before each: a daemon that finishes A's work while B is busy is no leak.
        """
        refuted: set[tuple[str, str]] = set()
        while True:
            try:
                self._loop.run(self._play(plan))
                return
            except IsolationLeak as error:
                found = error.leak
                if not isinstance(found, Leak) or found.oracle in PROOFS:
                    raise
                place = found.oracle, found.endpoint
                partly = plan.target == MATRIX and found.oracle in {*ATTACKS, COMPARING}
                whole = not partly or place in refuted or len(refuted) == MAX_REFUTED
                self._confirm(plan, found, error, whole=whole)
                self.unconfirmed.append(f"{found.oracle} on {found.endpoint} did not recur")
                if whole:
                    return
                refuted.add(place)  # and once more, for all that comes after it

    def _confirm(self, plan: Plan, found: Leak, error: IsolationLeak, *, whole: bool) -> None:
        """Look again, restfully, at the ``whole`` example or at what it takes to see it; raises if it leaks again."""
        if self.deadline is not None:
            self.deadline += CONFIRMING_SECONDS
        again = Plan(found.endpoint, None) if not whole and found.oracle in ATTACKS else plan
        try:
            self._loop.run(self._play(again, restful=True, compared=not whole and found.oracle == COMPARING))
        except OutOfTime:
            raise error from None  # no time left to see it twice
        finally:
            if self.deadline is not None:
                self.deadline -= CONFIRMING_SECONDS

    def example(self, data: st.DataObject, target: str) -> None:
        """Draw and run one example."""
        self.play(self.draw(data, target))

    def conclude(self, report: Report, played: Collection[str]) -> None:
        """Judge what was and was not proved by an example of each of these targets."""
        conclude(self, report, played)

    async def _play(self, plan: Plan, *, restful: bool = False, compared: bool = False) -> None:
        await self._reset()
        self.coverage.examples += 1
        world = self._world(observed=True)
        endpoint = next((one for one in self.endpoints if one.name == plan.target), None)
        template = await self._accepted(world, endpoint, plan.template)
        story = Story(world, self.lasting, self.seed_order, self._oracles(), self.truth, self.create_org, template)
        world.public |= self._public or set()
        story.restful, story.shared = restful, self.options.shared
        story.clocks, story.timed = self._clocks, self._timed
        story.hints = self.discovery.looked_up
        if endpoint is None and compared:
            await story.compare()
        elif endpoint is None:
            await story.matrix()
        else:
            await story.focus(endpoint, settle=self._public is None)
        self._public = (self._public or set()) | world.public

    async def new_story(self, watch: Callable[[World, Exchange], None] | None = None) -> Story:
        """Two new orgs without a plot, watched by the oracles or by ``watch``."""
        await self._reset()
        self.coverage.examples += 1
        world = self._world(observed=True)
        if watch is not None:
            world.inspect = watch
        story = Story(world, self.lasting, self.seed_order, self._oracles(), self.truth, self.create_org)
        await story.begin()
        await story.settle()
        return story

    async def _accepted(self, world: World, endpoint: Endpoint | None, template: Template | None) -> Template | None:
        """The drawn template if it is accepted, else the calibrated one: a refused write proves nothing."""
        if endpoint is None or template is None or template == self.learned[endpoint.name].template:
            return None
        trial = self._world(observed=False)
        org = await self.create_org(trial, "a trying org")
        await Story(trial, self.lasting, self.seed_order, (), None, self.create_org).fresh(org, endpoint)
        answer = await trial.call(org, endpoint, template=template, purpose="trial")
        return template if answer.response.ok else None

    async def _reset(self) -> None:
        if self.truth is not None and self._org_ids:
            await self.truth.forget(self._org_ids)
        self._org_ids.clear()
        for hook in self.options.on_reset:
            await awaited(hook())
        if self.options.protocol is not None and hasattr(self.options.protocol, "reset_db"):
            await awaited(self.options.protocol.reset_db())

    def _world(self, *, observed: bool) -> World:
        watchers = self._oracles() if observed else []

        def inspect_all(world: World, exchange: Exchange) -> None:
            for oracle in watchers:
                oracle.inspect(world, exchange)

        world = World(
            self._transport, self.mint, self.coverage, self.endpoints, self.learned, inspect_all, self._run_seed
        )
        world.earlier = self._calibrated
        world.deadline = self.deadline
        world.is_shared = self._is_shared
        return world

    def _is_shared(self, endpoint: str) -> bool:
        """Whether what shows at the endpoint is declared; the declaration has then been of use."""
        declared = self.options.shared.get(endpoint)
        if declared is None or declared.expired:
            return False
        self.used_declarations.add(endpoint)
        return True

    # --- orgs

    async def create_org(self, world: World, name: str) -> Org:
        """A new tenant of the user's making."""
        index = self.mint.next_org()
        token, _ = self.mint.token(index, ORG_ENDPOINT, 0)
        org = await make_org(
            self.options.create_org,  # type: ignore[arg-type]
            self.options.headers_for,
            index=index,
            name=name,
            token=token,
        )
        org.knowledge.paths = self._paths
        if any(org.headers == other.headers and org.raw == other.raw for other in world.orgs):
            raise HarnessError("create_org returned the same org twice: it must make a new one at each call")
        if self.options.protocol is not None:
            org.headers = ((ProtocolTransport.ORG, str(self._transport.register(org.raw))),)
        world.add(org)
        if self.truth is not None:
            await self.truth.recognise(org)
        self._org_ids += org.keys
        return org

    # --- overrides

    def _override(self, endpoint: Endpoint, template: Template) -> Template:
        override = self.options.overrides.get(endpoint.name)
        if override is None:
            return template
        if isinstance(override, st.SearchStrategy):
            return replace(template, body=_simplest(override))
        chosen = {
            name: _simplest(one) if isinstance(one, st.SearchStrategy) else one for name, one in override.items()
        }
        parameters = dict(template.parameters)
        body = dict(template.body) if isinstance(template.body, dict) else template.body
        for name, value in chosen.items():
            slot = next((one for one in endpoint.parameters if one.name == name), None)
            if slot is not None:
                parameters[slot.place, name] = value
            elif isinstance(body, dict):
                body[name] = value
            else:
                body = {name: value}
        return Template(parameters, body, template.media_type)


def _simplest(strategy: st.SearchStrategy[Any]) -> Any:
    return find(strategy, lambda _: True)
