"""One example: two orgs live side by side, and the oracles watch.

A *matrix* example has A write through every endpoint and B read every endpoint before and after. A *focus* example
attacks one endpoint. Both are deterministic but for what the application itself draws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interlock.testing.exchange import Exchange
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.truth import Snapshot, Truth
from interlock.testing.values import random_reference
from interlock.testing.world import Org, World, identifiers

if TYPE_CHECKING:
    from interlock.testing.oracles.base import Oracle

REST_SECONDS, QUIET_SECONDS, MAX_RESTS = 0.1, 0.5, 40


@dataclass(frozen=True)
class Attack:
    """B asks with A's references (``foreign``) between two requests with references to nothing."""

    leaves: tuple[Leaf, ...]
    before: Exchange
    foreign: Exchange
    after: Exchange
    sent: tuple[str, ...]
    comparable: bool
    changed: tuple[str, ...]


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
        self.restful = False
        self._create_org = create_org
        self._attacks: dict[str, list[Attack]] = {}
        self.a: Org
        self.b: Org

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

    async def matrix(self) -> None:
        """B settles; A writes everything; B looks again, with its own ids and with A's."""
        await self.begin()
        await self.settle()
        await self.seed(self.b)
        for oracle in self.oracles:
            await oracle.before_writes(self)
        await self.seed(self.a)
        await self.learn_identifiers()
        # Non-interference first: it compares with what B read just before A wrote.
        for oracle in self.oracles:
            await oracle.after_writes(self)
        await self.sweep(self.a, "A reads, so that caches hold A's data")
        await self.sweep(self.b, "B reads its own")
        await self.crawl()
        await self.sweep(None, "nobody reads")
        for oracle in self.oracles:
            await oracle.afterwards(self)

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
            await self.world.supply(org, endpoint)
        await self.learn_identifiers()
        for oracle in self.oracles:
            await oracle.probe(self, endpoint)
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
            await self.world.call(org, endpoint, purpose=f"{org.name} has data")

    async def sweep(self, org: Org | None, purpose: str, *, bare: bool = False) -> dict[str, Exchange]:
        """Read every endpoint with the org's own ids; with ``bare`` only those that need none."""
        seen = {}
        for endpoint in self.readable():
            if bare and (endpoint.path_parameters or not endpoint.in_schema):
                continue
            if org is None and not self._ids_only(endpoint):
                continue  # whoever holds an opaque value may be entitled to what it opens
            seen[endpoint.name] = await self.world.call(org, endpoint, purpose=purpose, own=org is not None)
        return seen

    async def crawl(self) -> None:
        """B reads every endpoint with A's references; the passive oracles look at the answers."""
        for endpoint in self.readable():
            for template, leaves in self._slots(endpoint):
                given = {leaf: self.foreign_value(endpoint, leaf) for leaf in leaves}
                known = all(value is not None for value in given.values())
                if known and not await self.is_capability(endpoint, template, given):
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

    async def fresh(self, org: Org, endpoint: Endpoint) -> None:
        """Make new rows for the path of an endpoint that may consume them."""
        learned = self.world.learned.get(endpoint.name)
        if learned is None:
            return
        makers = {source[0] for key, source in learned.sources.items() if key.startswith("path ")}
        for maker in self.endpoints:
            if maker.name in makers and maker.method == "POST" and maker is not endpoint:
                await self.world.call(org, maker, purpose=f"{org.name} makes a row")
        for name in learned.prelude:
            for step in self.endpoints:
                if step.name == name:
                    await self.world.call(org, step, purpose=f"{org.name} prepares the row")

    async def snapshot(self) -> Snapshot:
        """The rows of both orgs; empty without an admin connection."""
        ids = [org.id for org in (self.a, self.b) if org.id]
        return await self.truth.snapshot(ids) if self.truth is not None else Snapshot()

    async def rested(self) -> Snapshot:
        """The rows of both orgs, once what runs in the background has come to rest if that was asked for."""
        found = await self.snapshot()
        quiet = 0.0
        for _ in range(MAX_RESTS if self.restful else 0):
            await asyncio.sleep(REST_SECONDS)
            later = await self.snapshot()
            quiet = quiet + REST_SECONDS if later.rows == found.rows else 0.0
            found = later
            if quiet >= QUIET_SECONDS:
                break
        return found

    async def learn_identifiers(self) -> Snapshot:
        """Take the identifiers of both orgs' rows from the database: exact, where responses show only some."""
        found = await self.snapshot()
        for org, other in ((self.a, self.b), (self.b, self.a)):
            own = found.identifiers.get(org.id or "", set()) - found.identifiers.get(other.id or "", set())
            self.world.literals[org.index] |= {one for one in own if one != (other.id or "").lower().encode()}
        return found

    # --- attacks

    async def attacks(self, endpoint: Endpoint) -> list[Attack]:
        """B's requests with A's references in each slot alone and in all together; made once per example."""
        if endpoint.name not in self._attacks:
            made = [await self._attack(endpoint, template, leaves) for template, leaves in self._slots(endpoint)]
            self._attacks[endpoint.name] = [attack for attack in made if attack is not None]
        return self._attacks[endpoint.name]

    def _slots(self, endpoint: Endpoint) -> list[tuple[Template, tuple[Leaf, ...]]]:
        """Each reference alone, all together, and each optional one in the query, with the template to fill."""
        learned = self.world.learned[endpoint.name]
        bare = self.template or learned.template
        required = [leaf for leaf in bare.leaves() if leaf.reference]
        groups: list[tuple[Template, tuple[Leaf, ...]]] = [(bare, (leaf,)) for leaf in required]
        if len(required) > 1:
            groups.append((bare, tuple(required)))
        wide = TemplateBuilder(endpoint, Plain(), with_query=True).build()
        for slot, value in wide.parameters.items():
            optional = Template(parameters={slot: value})
            leaves = tuple(leaf for leaf in optional.leaves() if leaf.reference)
            if slot not in bare.parameters and leaves:
                groups.append((Template({**bare.parameters, slot: value}, bare.body, bare.media_type), leaves))
        return groups

    async def _attack(self, endpoint: Endpoint, template: Template, leaves: tuple[Leaf, ...]) -> Attack | None:
        if not endpoint.is_read:
            await self.fresh(self.a, endpoint)
            await self.fresh(self.b, endpoint)
        given = {leaf: self.foreign_value(endpoint, leaf) for leaf in leaves}
        if not given or any(value is None for value in given.values()):
            return None
        if await self.is_capability(endpoint, template, given):
            return None
        like = given.copy()

        async def ask(values: dict[Leaf, Any], purpose: str) -> Exchange:
            return await self.world.call(self.b, endpoint, template=template, given=values, purpose=purpose, own=False)

        def nothing() -> dict[Leaf, Any]:
            return {leaf: random_reference(leaf, self.world.random, like[leaf]) for leaf in leaves}

        first, last = nothing(), nothing()
        await self.learn_identifiers()
        resting = await self.rested()
        before = await ask(first, "B refers to nothing")
        settled = await self.snapshot()
        foreign = await ask(given, "B refers to A's row")
        touched = await self.snapshot()
        after = await ask(last, "B refers to nothing")
        noise = set(resting.changed(settled, self.a.id or ""))
        changed = tuple(table for table in settled.changed(touched, self.a.id or "") if table not in noise)
        sent = tuple(str(value) for values in (first, given, last) for value in values.values())
        return Attack(leaves, before, foreign, after, sent, all(self._comparable(v) for v in like.values()), changed)

    async def is_capability(self, endpoint: Endpoint, template: Template, given: Mapping[Leaf, Any]) -> bool:
        """Whether holding the value is the permission, for people without any account too: a link made to be shared.

        Only an opaque value can be one. An id that works without credentials is a hole, not a feature.
        """
        if any(self._comparable(value) for value in given.values()):
            return False
        request, _, _ = self.world.prepare(self.b, endpoint, template, given)
        return (await self.world.transport.send(request)).ok

    def foreign_value(self, endpoint: Endpoint, leaf: Leaf) -> Any:
        """A value of A's for the leaf that B does not have too; None if there is none."""
        learned = self.world.learned.get(endpoint.name)
        preferred = self.world.own(self.a, endpoint, leaf) if learned else None
        own = {str(seen.value) for seen in self.b.knowledge.values()}
        for seen in [*([preferred] if preferred else []), *self.a.knowledge.ranked(leaf, endpoint)]:
            if str(seen.value) not in own and str(seen.value).lower().encode() not in self.world.public:
                return seen.value
        return None

    def _ids_only(self, endpoint: Endpoint) -> bool:
        learned = self.world.learned[endpoint.name]
        seen = [self.world.own(self.a, endpoint, leaf) for leaf in learned.template.leaves() if leaf.reference]
        return all(one is not None and self._comparable(one.value) for one in seen)

    @staticmethod
    def _comparable(value: Any) -> bool:
        # An opaque token (a cursor, a signed link) is not equal to random text of its form: it may well be valid.
        return (
            isinstance(value, int)
            or bool(identifiers(str(value).encode()))
            or str(value).isdecimal()
            or "qz7k" in str(value)
        )
