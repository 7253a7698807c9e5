"""Finds out, as one org alone, how each endpoint is made to succeed: what to send and where ids come from.

Without this, half of a run would be 404 and 422, which proves nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, permutations, product
from typing import Any

from interlock.testing.apart import kept_apart, rows_apart
from interlock.testing.compare import facts
from interlock.testing.exchange import Exchange
from interlock.testing.knowledge import GIVEN, SECRET, Observation
from interlock.testing.likely import likely, names_a_row
from interlock.testing.operations import operations, worded
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder, referring
from interlock.testing.resolving import resolve
from interlock.testing.routes import Endpoint
from interlock.testing.undeclared import reads_tables, undeclared, uploads
from interlock.testing.values import CANARY
from interlock.testing.world import Learned, Org, World

PASSES = 4
CANDIDATES = 8
MIN_TELLING, SIMILAR = 8, 0.5
MAX_ATTEMPTS, MAX_GUESSES, MAX_GUESSED, MAX_REFUSALS = 80, 20, 5, 12
MAX_OPERATIONS, MAX_COMBINED = 8, 5000
_LEAVING = re.compile(r"log-?out|sign-?out|session|revoke|rotate|deactivate|terminate", re.IGNORECASE)
_HOPELESS = frozenset({401, 403, 405, 426, 503})
_STALE = frozenset({412, 428})
_ORDER = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3}

Override = Callable[[Endpoint, Template], Template]


class Calibration:
    """Drives every endpoint as one org until each has succeeded or nothing new works."""

    def __init__(
        self,
        world: World,
        org: Org,
        endpoints: Sequence[Endpoint],
        override: Override,
        renew_org: Callable[[], Awaitable[Org]],
        until: float | None = None,
    ) -> None:
        self.world = world
        self.org = org
        self.endpoints = sorted(endpoints, key=_turn)
        self.override = override
        self.renew_org = renew_org
        self.until = until
        self.learned = world.learned
        self.seed_order: list[Endpoint] = []
        self._witness: Endpoint | None = None

    async def run(self) -> None:
        """Fill ``learned`` and ``seed_order``; endpoints that never succeed are learned with ``works=False``."""
        for endpoint in self.endpoints:
            self.learned[endpoint.name] = Learned(next(self._templates(endpoint)))
        lasting = [endpoint for endpoint in self.endpoints if not endpoint.removes]
        for turn in range(PASSES):
            before = self._working()
            await self._renew(self.seed_order if turn else ())
            for endpoint in lasting:
                if not self._works(endpoint):
                    await self._renew(self._makers(endpoint) if turn else ())
                    await self._try(endpoint, thorough=turn > 0 and not self._lacks_rows(endpoint))
            if turn and self._working() == before:
                break
        await self._retry(self._try_after_siblings)
        await self._retry(self._try_what_was_put_off)
        for endpoint in lasting:
            resolved = partial(resolve, self.world, self.org, self._ids_for)
            for learn_more in (self._refine, self._complete, resolved, self._find_operations):
                if not self._is_late():
                    await learn_more(endpoint)
        for endpoint in self.endpoints:
            if endpoint.removes:
                await self._renew(self.seed_order)
                await self._try(endpoint, thorough=True)
        await self._retry(self._try_after_siblings)  # what undoes a removal

    async def _retry(self, attempt: Callable[[Endpoint], Awaitable[Any]]) -> None:
        """Try again what has not worked, as long as there is time."""
        for endpoint in self.endpoints:
            if not endpoint.removes and not self._works(endpoint) and not self._is_late():
                await attempt(endpoint)

    def _is_late(self) -> bool:
        """Whether so much of the time has gone that the rest belongs to the orgs."""
        return self.until is not None and time.monotonic() > self.until

    def _lacks_rows(self, endpoint: Endpoint) -> bool:
        """Whether nothing has been made yet of what the last part of its path names: no guess will do."""
        collection = endpoint.path.rsplit("/{", 1)[0]
        makers = [one for one in self.endpoints if one.method == "POST" and one.path.rstrip("/") == collection]
        return bool(endpoint.path_parameters and makers) and not any(map(self._works, makers))

    async def _try_what_was_put_off(self, endpoint: Endpoint) -> None:
        if self._lacks_rows(endpoint):
            await self._try(endpoint, thorough=True)

    def _works(self, endpoint: Endpoint) -> bool:
        return endpoint.name in self.learned and self.learned[endpoint.name].works

    def _working(self) -> int:
        return sum(one.works for one in self.learned.values())

    async def _renew(self, makers: Iterable[Endpoint]) -> None:
        """New rows for what consumes them."""
        for maker in makers:
            if not maker.path_parameters:
                await self.world.call(self.org, maker, purpose="calibration")

    def _makers(self, endpoint: Endpoint) -> list[Endpoint]:
        """Those that make what the body of the endpoint is likely to refer to."""
        leaves = [one for one in next(self._templates(endpoint)).leaves() if one.reference and one.place == "body"]
        names = {seen.endpoint for leaf in leaves for seen in self._sources(leaf, endpoint)[:1]}
        return [one for one in self.seed_order if one.name in names]

    async def _refine(self, endpoint: Endpoint) -> None:
        """Prefer the likeliest source of each reference: it may have succeeded with an id of something else."""
        learned = self.learned[endpoint.name]
        if not learned.works or learned.streams:
            return
        for leaf in learned.template.leaves():
            likeliest = next(iter(self._sources(leaf, endpoint)), None)
            best = None if likeliest is None else self._origin(leaf, endpoint, likeliest.value)
            chosen = leaf.place == "path" and leaf.key not in learned.sources  # a name of the caller's choosing
            if not leaf.reference or chosen or best is None:
                continue
            source = best.endpoint, best.path
            if learned.sources.get(leaf.key) == source:
                continue
            exchange = await self.world.call(
                self.org, endpoint, template=learned.template, given={leaf: best.value}, purpose="calibration"
            )
            if exchange.response.ok:
                learned.sources[leaf.key] = source

    async def _complete(self, endpoint: Endpoint) -> None:
        """Find something for the optional references that the endpoint only succeeded without."""
        learned = self.learned[endpoint.name]
        full = referring(self._template(endpoint, Plain()), learned.sources)
        present = {leaf.key for leaf in learned.template.leaves()}
        absent = [leaf for leaf in full.leaves() if leaf.key not in present and leaf.place == "body"]
        # With nothing that looks like a reference among them, any of them may be one: an assignee, a parent.
        missing = [leaf for leaf in absent if leaf.reference] or absent[:MAX_GUESSED]
        if not learned.works or not missing:
            return
        await self._renew(self._makers(endpoint))
        ranked = [[*enumerate(self._ids_for(leaf, endpoint))][:MAX_GUESSED] for leaf in missing]
        combinations = sorted(islice(product(*ranked), MAX_COMBINED), key=lambda one: sum(rank for rank, _ in one))
        for values in combinations[:MAX_ATTEMPTS]:
            given = {leaf: value for leaf, (_, value) in zip(missing, values, strict=True) if value is not None}
            exchange = await self.world.call(self.org, endpoint, template=full, given=given, purpose="calibration")
            if exchange.response.ok:
                self._keep(endpoint, referring(full, [leaf.key for leaf in given]), exchange, learned.prelude)
                self.learned[endpoint.name].optional = frozenset(leaf.key for leaf in missing)
                # Where it was first seen, which may be this endpoint itself: a task may depend on an earlier one.
                firsts = {leaf.key: self.org.knowledge.first(value) for leaf, value in given.items()}
                self.learned[endpoint.name].sources |= {key: one for key, one in firsts.items() if one is not None}
                return

    def _ids_for(self, leaf: Leaf, endpoint: Endpoint) -> list[Any]:
        """What may be an id for the leaf: where it does not look like a reference, what served as one elsewhere."""
        if leaf.reference:
            return self._one_of_each_source(leaf, endpoint)
        wanted = replace(leaf, reference=True)
        places = [*self._served(), *self.org.knowledge.identities()]
        seen = [self.org.knowledge.latest(one, wanted) for one in dict.fromkeys(places)]
        ids = [*dict.fromkeys(one.value for one in seen if one is not None)]
        return [None, *ids]  # a text or a number first: that it may also be an id does not make it a reference

    def _served(self) -> dict[tuple[str, str], None]:
        """Where the references of other endpoints are taken from: what is found there is an id, whatever its name."""
        sources = (one for learned in self.learned.values() for one in learned.sources.values())
        return dict.fromkeys(one for one in sources if one[0] not in (GIVEN, SECRET))

    def _one_of_each_source(self, leaf: Leaf, endpoint: Endpoint) -> list[Any]:
        newest: dict[tuple[str, str], Any] = {}
        for seen in self._sources(leaf, endpoint):
            newest.setdefault((seen.endpoint, seen.path), seen.value)
        return list(dict.fromkeys(newest.values()))

    def _sources(self, leaf: Leaf, endpoint: Endpoint) -> list[Observation]:
        return [seen for seen in self.org.knowledge.ranked(leaf, endpoint) if seen.endpoint != endpoint.name]

    def _origin(self, leaf: Leaf, endpoint: Endpoint, value: Any) -> Observation | None:
        """Where the value was first seen: later sightings depend on what was made with it."""
        seen = [one for one in self._sources(leaf, endpoint) if str(one.value) == str(value)]
        if str(value).isdecimal() and len(str(value)) < MIN_TELLING:  # many have the same number
            seen = [one for one in seen if self.org.knowledge.likeness(leaf, endpoint, one, seen[0]) >= SIMILAR]
        served = self._served()
        seen = seen or [
            one
            for one in self.org.knowledge.values()
            if (one.endpoint, one.path) in served and str(one.value) == str(value) and one.endpoint != endpoint.name
        ]
        return min(seen, key=lambda one: (one.exchange, type(one.value) is not type(value)), default=None)

    async def _try(self, endpoint: Endpoint, *, thorough: bool) -> bool:
        patience = MAX_REFUSALS if endpoint.path_parameters else MAX_REFUSALS // 4
        for attempts, (template, given) in enumerate(
            islice(self._attempts(endpoint, thorough=thorough and not self._is_late()), MAX_ATTEMPTS)
        ):
            exchange = await self.world.call(self.org, endpoint, template=template, given=given, purpose="calibration")
            if exchange.response.ok or (endpoint.is_read and exchange.response.timed_out):
                self._keep(endpoint, referring(template, [leaf.key for leaf in given]), exchange)
                await self._mind_the_session(endpoint)
                return True
            if exchange.response.status in _HOPELESS and attempts >= patience:
                break
            if exchange.response.status in _STALE and attempts >= MAX_REFUSALS // 4:
                break  # another value will not help, another order of steps may
        return await self._try_as_nobody(endpoint) if thorough else False

    async def _mind_the_session(self, endpoint: Endpoint) -> None:
        """Notice a log-out: after it nothing would succeed any more. The org that called it is replaced."""
        if endpoint.is_read and self._witness is None:
            anonymous = await self.world.call(None, endpoint, purpose="calibration", own=False)
            self._witness = None if anonymous.response.ok else endpoint
        if endpoint.is_read or self._witness is None:
            return
        seen = await self.world.call(self.org, self._witness, purpose="calibration")
        if seen.response.status in (401, 403):
            self.learned[endpoint.name].ends_session = True
            self.seed_order = [one for one in self.seed_order if one is not endpoint]
            self.org = await self.renew_org()
            for maker in self.seed_order:
                await self.world.call(self.org, maker, purpose="calibration")

    async def _try_as_nobody(self, endpoint: Endpoint) -> bool:
        """A sign-up or log-in may refuse whoever has credentials already."""
        known = self.learned[endpoint.name]
        known.public = True
        failure = self.world.coverage.last_failure.get(endpoint.name, "")
        exchange = await self.world.call(self.org, endpoint, template=known.template, purpose="calibration")
        if exchange.response.ok:
            self._keep(endpoint, known.template, exchange, public=True)
        else:
            self.world.coverage.last_failure[endpoint.name] = failure  # what the org itself was told says more
        known.public = False
        return exchange.response.ok

    def _keep(
        self,
        endpoint: Endpoint,
        template: Template,
        exchange: Exchange,
        prelude: tuple[str, ...] = (),
        *,
        public: bool = False,
    ) -> None:
        sources = {}
        references = {leaf.key for leaf in template.leaves() if leaf.reference}
        for leaf, value in exchange.values.items():
            best = self._origin(leaf, endpoint, value) if leaf.key in references else None
            if best is not None:
                sources[leaf.key] = (best.endpoint, best.path)
        streams, apart = not exchange.response.complete, kept_apart(exchange.values, sources)
        known = Learned(template, sources, prelude, apart, works=True, public=public, streams=streams)
        self.learned[endpoint.name] = known
        named = any(leaf.place == "path" and CANARY in str(value) for leaf, value in exchange.values.items())
        puts = endpoint.method == "PUT" and (named or not endpoint.path_parameters)
        makes = puts or (endpoint.method == "POST" and not endpoint.removes)
        if makes and not public and not prelude and endpoint not in self.seed_order:
            self.seed_order.append(endpoint)

    def _attempts(self, endpoint: Endpoint, *, thorough: bool) -> Iterator[tuple[Template, dict[Leaf, Any]]]:
        full = self._template(endpoint, Plain())
        if endpoint.method == "PUT" and endpoint.path_parameters:  # under a name of the caller's choosing
            for leaf in full.leaves():
                named = leaf.place == "path" and leaf.name == endpoint.path_parameters[-1]
                if named and leaf.schema.get("type") == "string" and "format" not in leaf.schema:
                    yield full, {leaf: self.world.canary(self.org, endpoint, leaf)}
        templates = list(self._templates(endpoint))
        yield from ((template, {}) for template in (templates if thorough else templates[:2]))
        if not thorough:
            return
        yield from (
            (one, others) for one in templates[:2] if (others := rows_apart(self.world, self.org, endpoint, one))
        )
        yield from self._linked(endpoint)
        for template in templates[:2]:
            yield from self._filled(endpoint, template)
        yield from ((template, {}) for template in worded(endpoint, templates[0]))
        for template in templates[2:]:
            yield from self._filled(endpoint, template)

    def _filled(self, endpoint: Endpoint, template: Template) -> Iterator[tuple[Template, dict[Leaf, Any]]]:
        for given in islice(self._guesses(template, endpoint), MAX_GUESSES):
            yield template, given
        if reused := self.org.knowledge.literals(template.leaves()):
            yield template, reused

    def _linked(self, endpoint: Endpoint) -> Iterator[tuple[Template, dict[Leaf, Any]]]:
        """What the links that lead there say: the parameters that belong together, such as an id and its signature."""
        wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build().parameters
        for path, query in self.org.knowledge.links()[:MAX_GUESSES] if endpoint.is_read else ():
            match = endpoint.pattern.fullmatch(path)
            said = {**dict(query), **match.groupdict()} if match is not None and query else {}
            leaves = {slot: wide[slot] for slot in wide if slot[1] in said}
            if said and all(isinstance(leaf, Leaf) for leaf in leaves.values()):
                yield Template(leaves), {leaf: said[leaf.name] for leaf in leaves.values()}

    def _template(self, endpoint: Endpoint, choice: Plain) -> Template:
        return self.override(endpoint, TemplateBuilder(endpoint, choice).build())

    def _templates(self, endpoint: Endpoint) -> Iterator[Template]:
        """What the endpoint may take, the likeliest first."""
        for guess in undeclared(endpoint):
            parameters = self._template(endpoint, Plain()).parameters
            yield self.override(endpoint, replace(guess, parameters=parameters))
        tables = [*uploads(endpoint, self._template(endpoint, Plain()))]
        yield from tables if reads_tables(endpoint) else ()
        choices = (Plain(), Plain(full=False), Plain(nth=1), Plain(vary=False), Plain(examples=True))
        plain = [self._template(endpoint, choice) for choice in choices]
        yield from plain[:2]
        yield from map(likely, plain[:2])
        yield from plain[2:]
        optional = {(one.place, one.name) for one in endpoint.parameters if not one.required}
        if any(place == "query" for place, _ in optional):
            wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build()
            # An optional header or cookie may be what the org authenticates with.
            asked = {s: v for s, v in wide.parameters.items() if s[0] == "query" or s not in optional}
            yield self.override(endpoint, replace(wide, parameters=asked))
        yield from tables

    async def _find_operations(self, endpoint: Endpoint) -> None:
        """Find what else the endpoint does, where the body says what: each operation with references of its own."""
        learned = self.learned[endpoint.name]
        if not learned.works or endpoint.is_read or learned.public:
            return
        choices = (self._template(endpoint, Plain(nth=nth)) for nth in range(MAX_OPERATIONS))
        first = next(self._templates(endpoint))
        for template in islice(operations(endpoint, learned.template, choices, first), MAX_OPERATIONS):
            most, best = 0, None
            for given in ({}, *islice(self._guesses(template, endpoint), CANDIDATES)):
                exchange = await self.world.call(
                    self.org, endpoint, template=template, given=given, purpose="calibration"
                )
                told = sum(value is not None for value in facts(exchange.response).values())
                if exchange.response.ok and told > most:
                    most, best = told, given
            if best is not None:
                learned.operations.append(referring(template, [leaf.key for leaf in best]))
                origins = {leaf.key: self._origin(leaf, endpoint, value) for leaf, value in best.items()}
                learned.sources |= {key: (one.endpoint, one.path) for key, one in origins.items() if one is not None}

    def _guesses(self, template: Template, endpoint: Endpoint) -> Iterator[dict[Leaf, Any]]:
        """Values for the references, and for what may be one by its name, the likeliest combinations first."""
        options: list[list[tuple[int, Leaf, Any]]] = []
        for leaf in template.leaves():
            # No amount from elsewhere: it may be larger than all that are made up, and hide them in a record.
            values = [] if leaf.decimal else self._one_of_each_source(replace(leaf, reference=True), endpoint)
            if values and (leaf.reference or leaf.place != "path"):
                tried = values[:CANDIDATES]
                if not leaf.reference:  # no id at all first, unless the name says what it is the id of
                    tried.insert(int(names_a_row(leaf, self.endpoints)), None)
                options.append([(rank, leaf, value) for rank, value in enumerate(tried)])
        combinations = islice(product(*options[:MAX_GUESSED]), MAX_ATTEMPTS * CANDIDATES) if options else ()
        for chosen in sorted(combinations, key=lambda one: sum(rank for rank, _, _ in one)):
            yield {leaf: value for _, leaf, value in chosen if value is not None}

    async def _try_after_siblings(self, endpoint: Endpoint) -> None:
        """A step of a state machine: make a new row, look at it for its tag or take other steps with it, then this."""
        if not endpoint.path_parameters or endpoint.is_read:
            return
        stem = endpoint.path.rsplit("}", 1)[0]
        siblings = [
            one
            for one in self.endpoints
            if one is not endpoint and one.path.startswith(stem) and one.method != "GET" and self._works(one)
        ]
        look = [one for one in self.endpoints if one.method == "GET" and one.path == endpoint.path]
        ways = [*((one,) for one in look), *(way for length in (1, 2) for way in permutations(siblings[:4], length))]
        makers = [one for one in self.seed_order if one.path.rstrip("/") == endpoint.path.rsplit("/{", 1)[0]]
        for steps in ways:
            for step in (*makers[:1], *steps):
                await self.world.call(self.org, step, purpose="calibration")
            exchange = await self.world.call(self.org, endpoint, purpose="calibration")
            if exchange.response.ok:
                self._keep(endpoint, self.learned[endpoint.name].template, exchange, tuple(one.name for one in steps))
                return


def _turn(endpoint: Endpoint) -> tuple[bool, int, int, int]:
    """Collections before their items, reads before writes: what comes later uses the ids that came before."""
    leaving = bool(_LEAVING.search(endpoint.path)) and not endpoint.is_read
    return (leaving, len(endpoint.path_parameters), _ORDER.get(endpoint.method, 9), endpoint.index)
