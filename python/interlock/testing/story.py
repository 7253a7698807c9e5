"""One example: two orgs live side by side, and the oracles watch.

A *matrix* example has A write through every endpoint and B read every endpoint before and after. A *focus* example
attacks one endpoint. Both are deterministic but for what the application itself draws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from interlock.testing.attacks import Attacker, is_id
from interlock.testing.exchange import Exchange
from interlock.testing.exploring import explore, explore_everything
from interlock.testing.knowledge import GIVEN
from interlock.testing.payloads import Template
from interlock.testing.routes import Endpoint
from interlock.testing.truth import Snapshot, Truth
from interlock.testing.variations import write_otherwise
from interlock.testing.view import view
from interlock.testing.world import Org, World, identifiers

if TYPE_CHECKING:
    from interlock.testing.oracles.base import Oracle

MATRIX = "every endpoint"
REST_SECONDS, QUIET_SECONDS, MAX_RESTS = 0.1, 0.5, 40
TICK_SECONDS, LOOKS = 1.1, 6


class Story:
    """The two orgs of an example and what they do."""

    def __init__(
        self,
        world: World,
        endpoints: Sequence[Endpoint],
        seed_order: Sequence[Endpoint],
        oracles: Sequence[Oracle],
        truth: Truth | None,
        create_org: Callable[[World, str], Awaitable[Org]],
        template: Template | None = None,
    ) -> None:
        self.world = world
        self.endpoints = endpoints
        self.seed_order = seed_order
        self.oracles = oracles
        self.truth = truth
        self.template = template
        self.hints: Sequence[str] = ()
        self.restful = False
        self.is_matrix = False
        self.clocks: set[str] = set()
        self.timed: set[str] = set()
        self.shared: Collection[str] = ()
        self._refused: set[tuple[int, str]] = set()
        self._create_org = create_org
        self.attacker = Attacker(self)
        self.a: Org
        self.b: Org

    @property
    def columns(self) -> list[str]:
        """The names of the tenant's columns."""
        return sorted(self.truth.columns) if self.truth is not None else []

    def seen_by(self, attacker: Org) -> Story:
        """The same story with the roles so that ``attacker`` is B; attacks are made anew."""
        view = Story(
            self.world, self.endpoints, self.seed_order, self.oracles, self.truth, self._create_org, self.template
        )
        view.a, view.b = self.world.other(attacker), attacker
        return view

    # --- acts

    async def begin(self) -> None:
        """Create both orgs."""
        self.a = await self._create_org(self.world, "A")
        self.b = await self._create_org(self.world, "B")

    async def newcomer(self) -> Org:
        """A third org, of which nobody has heard yet."""
        return await self._create_org(self.world, "D")

    async def matrix(self) -> None:
        """Compare; then everything that either can try, with its own ids and with the other's."""
        await self.compare()
        for endpoint in [*self.seed_order, *self.changes]:
            await write_otherwise(self, endpoint)
        await self.learn_identifiers()
        await self.sweep(self.a, "A reads, so that caches hold A's data")
        await self.sweep(self.b, "B reads its own")
        await self.crawl()
        await self.sweep(None, "nobody reads")
        await explore_everything(self)
        for oracle in self.oracles:
            await oracle.afterwards(self)
        for endpoint in self.writes:  # last: what B has sent it may be shown
            await self.attacker.mention_addresses(endpoint)
        await self.reach()

    async def compare(self) -> None:
        """B settles; A writes everything; B looks again."""
        self.is_matrix = True
        await self.begin()
        await self.settle()
        await self.seed(self.b)
        for oracle in self.oracles:
            await oracle.before_writes(self)
        await self.act(self.a)
        await self.learn_identifiers()
        # Non-interference first: it compares with what B read just before A wrote.
        for oracle in self.oracles:
            await oracle.after_writes(self)

    async def live(self) -> None:
        """Both write and read everything, with their own ids and with the other's, and nobody compares."""
        for org in (self.b, self.a):
            await self.seed(org)
        await self.learn_identifiers()
        for reader in (self.a, self.b):
            await self.sweep(reader, f"{reader.name} reads its own")
        await self.crawl()

    async def focus(self, endpoint: Endpoint, *, settle: bool = False) -> None:
        """Every oracle probes one endpoint; then both orgs look around. ``settle`` notes first what is public."""
        await self.begin()
        if settle:
            await self.settle()
        for org in (self.b, self.a):
            if endpoint.is_read:
                await self.seed(org)
            await self.world.supply(org, endpoint)
            if endpoint in self.readable():
                await self.world.call(org, endpoint, purpose=f"{org.name} reads its own")  # a cursor, a tag
            elif endpoint in self.seed_order:
                await self.world.call(org, endpoint, purpose=f"{org.name} has data")  # a name, the parent of the next
        await self.learn_identifiers()
        for oracle in self.oracles:
            await oracle.probe(self, endpoint)
        await explore(self, endpoint)
        if not endpoint.is_read:
            await self.sweep(self.b, "B reads afterwards", bare=True)

    async def settle(self) -> None:
        """Note what is public: what B is shown before anybody has written anything, but for the orgs' own ids."""
        await self.sweep(self.b, "B reads, having written nothing", bare=True)
        shown: set[bytes] = set()
        for exchange in self.world.exchanges:
            for _, text in exchange.response.surfaces():
                shown |= identifiers(text)
        self.world.public |= shown - self.world.literals[self.a.index] - self.world.literals[self.b.index]

    # --- steps

    async def seed(self, org: Org) -> None:
        """Write through every endpoint that makes something, so that every collection has a row."""
        for endpoint in self.seed_order:
            await self.use(org, endpoint, f"{org.name} has data")

    async def use(
        self, org: Org, endpoint: Endpoint, purpose: str, template: Template | None = None, *, own: bool = True
    ) -> Exchange:
        """Call; if it is refused, once more with new rows, since those it refers to may have been used up."""
        ask = partial(self.world.call, org, endpoint, template=template, purpose=purpose, own=own)
        answer = await ask()
        place = org.index, endpoint.name
        if answer.response.ok or not self.world.learned[endpoint.name].sources or place in self._refused:
            return answer
        await self.fresh(org, endpoint, whole=True)
        # The same numbers: by turns large and small, they would all be small where every second request is refused.
        numbers = {leaf: value for leaf, value in answer.values.items() if leaf.numeric or leaf.decimal}
        again = await ask(given=numbers)
        if not again.response.ok and template is None:
            self._refused.add(place)  # it is not the rows
        return again

    async def act(self, org: Org) -> None:
        """Use every endpoint that writes: make, change, remove a row of each kind, and make others to be seen."""
        await self.seed(org)
        for endpoint in self.removals:
            await self.fresh(org, endpoint)
            await self.world.call(org, endpoint, purpose=f"{org.name} removes a row")
            await self.fresh(org, endpoint)
        for endpoint in self.changes:
            if self.world.learned[endpoint.name].prelude:
                await self.fresh(org, endpoint)
            await self.use(org, endpoint, f"{org.name} changes a row")

    async def reach(self) -> None:
        """Call what has not succeeded for anybody in this run, once more with rows of its own."""
        for endpoint in self.endpoints:
            learned = self.world.learned[endpoint.name]
            if learned.works and not self.world.coverage.succeeded.get(endpoint.name):
                await self.fresh(self.a, endpoint)
                await self.world.call(self.a, endpoint, purpose="A has not succeeded here yet")

    @property
    def changes(self) -> list[Endpoint]:
        """The endpoints that work on what is there already."""
        return [one for one in self.writes if not one.removes and one not in self.seed_order]

    @property
    def removals(self) -> list[Endpoint]:
        """The endpoints that remove something."""
        return [one for one in self.writes if one.removes]

    @property
    def writes(self) -> list[Endpoint]:
        """The endpoints that write, of those that work."""
        return [one for one in self.endpoints if not one.is_read and self.world.learned[one.name].works]

    async def sweep(self, org: Org | None, purpose: str, *, bare: bool = False) -> dict[str, Exchange]:
        """Read every endpoint with the org's own ids; with ``bare`` only those that need none."""
        seen = {}
        for endpoint in self.readable():
            if bare and (self._needs_a_row(endpoint) or not endpoint.in_schema):
                continue
            if org is None and not self._ids_only(endpoint):
                continue  # whoever holds an opaque value may be entitled to what it opens
            if org is None:
                seen[endpoint.name] = await self.world.call(None, endpoint, purpose=purpose, own=False)
            else:
                seen[endpoint.name] = await self.use(org, endpoint, purpose)
        return seen

    async def crawl(self) -> None:
        """B reads every endpoint with A's references; the passive oracles look at the answers."""
        for endpoint in self.readable():
            for template, leaves in self.attacker.slots(endpoint):
                given = {leaf: self.attacker.foreign_value(endpoint, leaf) for leaf in leaves}
                known = all(value is not None for value in given.values())
                if known and not await self.attacker.is_capability(endpoint, template, given):
                    await self.world.call(
                        self.b, endpoint, template=template, given=given, purpose="B reads with A's ids", own=False
                    )

    def readable(self) -> list[Endpoint]:
        """The endpoints that are read in sweeps; sockets and streams are probed on their own."""
        return [
            endpoint
            for endpoint in self.endpoints
            if endpoint.is_read and not endpoint.websocket and not self.world.learned[endpoint.name].streams
        ]

    async def fresh(self, org: Org, endpoint: Endpoint, *, whole: bool = False) -> None:
        """Make new rows for the path of an endpoint that may consume them, and for the ``whole`` request if asked."""
        learned = self.world.learned.get(endpoint.name)
        if learned is None:
            return
        makers = {source[0] for key, source in learned.sources.items() if whole or key.startswith("path ")}
        more = {source[0] for key, source in learned.sources.items() if key in learned.apart}
        for maker in self.endpoints:
            if maker.name in makers | more and maker.method == "POST" and maker is not endpoint:
                for _ in range((maker.name in makers) + (maker.name in more)):
                    await self.world.call(org, maker, purpose=f"{org.name} makes a row")
        for name in learned.prelude:
            for step in self.endpoints:
                if step.name == name:
                    await self.world.call(org, step, purpose=f"{org.name} prepares the row")

    async def snapshot(self, endpoint: Endpoint | None = None) -> Snapshot:
        """The rows of both orgs; where the database cannot tell, what A sees next to ``endpoint``."""
        if self.truth is not None and self.truth.tables:
            return await self.truth.snapshot(self.a, self.b)
        if endpoint is None or endpoint.is_read:
            return Snapshot()  # what a read changes is told by a database only: to look would cost eight more reads
        return await view(self, self.a, endpoint)

    async def rested(self, endpoint: Endpoint | None = None) -> Snapshot:
        """A snapshot, once what runs in the background has come to rest if that was asked for."""
        if endpoint is not None and endpoint.is_read and not (self.truth is not None and self.truth.tables):
            return Snapshot()
        if self.restful and not (self.truth is not None and self.truth.tables):
            await self.snapshot(endpoint)  # makes what it reads, where there is none yet: a job, which then runs
            await asyncio.sleep(QUIET_SECONDS)
            return await self._without_clocks(endpoint)
        found = await self.snapshot(endpoint)
        quiet = 0.0
        for _ in range(MAX_RESTS if self.restful else 0):
            await asyncio.sleep(REST_SECONDS)
            later = await self.snapshot(endpoint)
            quiet = quiet + REST_SECONDS if later.rows == found.rows else 0.0
            found = later
            if quiet >= QUIET_SECONDS:
                break
        return found

    async def _without_clocks(self, endpoint: Endpoint | None) -> Snapshot:
        """A snapshot, having noted once what moves there because time passes: it says nothing in this run."""
        name = "" if endpoint is None else endpoint.name
        if name not in self.timed:
            self.timed.add(name)
            looks = [await self.snapshot(endpoint)]
            for _ in range(2):  # a job that ends moves once
                await asyncio.sleep(TICK_SECONDS)
                looks.append(await self.snapshot(endpoint))
            first, second, third = looks
            self.clocks |= {*first.changed(second, self.a)} & {*second.changed(third, self.a)}
        return await self.snapshot(endpoint)

    async def restless(self, endpoint: Endpoint, places: Iterable[str]) -> set[str]:
        """Which of these places of A's change by themselves: looked at again and again while nobody does anything."""
        looks = [await self.snapshot(endpoint) for _ in range(LOOKS if places else 0)]
        return {place for one, other in pairwise(looks) for place in one.changed(other, self.a)}

    async def learn_identifiers(self) -> None:
        """Take the identifiers of both orgs' rows from the database: exact, where responses show only some."""
        if self.truth is None:
            return
        found = await self.truth.identifiers(self.a, self.b)
        for org, other in ((self.a, self.b), (self.b, self.a)):
            own = found[org.index] - found[other.index]
            self.world.literals[org.index] |= {one for one in own if one != (other.id or "").lower().encode()}

    def _needs_a_row(self, endpoint: Endpoint) -> bool:
        """Whether its path names more than the org itself."""
        sources = self.world.learned[endpoint.name].sources
        given = {key for key, (source, _) in sources.items() if source == GIVEN}
        return any(f"path {name}" not in given for name in endpoint.path_parameters)

    def _ids_only(self, endpoint: Endpoint) -> bool:
        learned = self.world.learned[endpoint.name]
        seen = [self.world.own(self.a, endpoint, leaf) for leaf in learned.template.leaves() if leaf.reference]
        return all(one is not None and is_id(one.value) for one in seen)
