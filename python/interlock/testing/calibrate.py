"""Finds out, as one org alone, how each endpoint is made to succeed: what to send and where ids come from.

Without this, half of a run would be 404 and 422, which proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any

from interlock.testing.exchange import Exchange
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.world import Learned, Org, World

PASSES = 4
CANDIDATES = 6
MAX_ATTEMPTS = 60
_HOPELESS = frozenset({401, 403, 405, 426, 503})
_ORDER = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 9}

Override = Callable[[Endpoint, Template], Template]


class Calibration:
    """Drives every endpoint as one org until each has succeeded or nothing new works."""

    def __init__(self, world: World, org: Org, endpoints: Sequence[Endpoint], override: Override) -> None:
        self.world = world
        self.org = org
        self.endpoints = sorted(endpoints, key=lambda one: (_ORDER.get(one.method, 5), one.path.count("{"), one.index))
        self.override = override
        self.learned: dict[str, Learned] = world.learned  # type: ignore[assignment]
        self.seed_order: list[Endpoint] = []

    async def run(self) -> None:
        """Fill ``learned`` and ``seed_order``; endpoints that never succeed are learned with ``works=False``."""
        for turn in range(PASSES):
            before = sum(one.works for one in self.learned.values())
            for endpoint in self.endpoints:
                if not (known := self.learned.get(endpoint.name)) or not known.works:
                    await self._try(endpoint, thorough=turn > 0)
            if turn and sum(one.works for one in self.learned.values()) == before:
                break
        for endpoint in self.endpoints:
            if not self.learned[endpoint.name].works:
                await self._try_after_siblings(endpoint)

    async def _try(self, endpoint: Endpoint, *, thorough: bool) -> bool:
        first = True
        for attempts, (template, given) in enumerate(self._attempts(endpoint, thorough=thorough)):
            if attempts == MAX_ATTEMPTS:
                break
            if first:
                self.learned.setdefault(endpoint.name, Learned(template))
                first = False
            exchange = await self.world.call(self.org, endpoint, template=template, given=given, purpose="calibration")
            if exchange.response.ok:
                self._keep(endpoint, template, exchange)
                return True
            if exchange.response.status in _HOPELESS and attempts > 2:
                break
        return await self._try_as_nobody(endpoint) if thorough else False

    async def _try_as_nobody(self, endpoint: Endpoint) -> bool:
        """A sign-up or log-in may refuse whoever has credentials already."""
        known = self.learned[endpoint.name]
        known.public = True
        exchange = await self.world.call(self.org, endpoint, template=known.template, purpose="calibration")
        if exchange.response.ok:
            self._keep(endpoint, known.template, exchange, public=True)
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
        observed = {
            str(seen.value): seen
            for seen in reversed(list(self.org.knowledge.values()))
            if seen.exchange < exchange.index
        }
        for leaf, value in exchange.values.items():
            if leaf.reference and str(value) in observed:
                best = next(
                    (s for s in self.org.knowledge.ranked(leaf, endpoint) if str(s.value) == str(value)),
                    observed[str(value)],
                )
                sources[leaf.key] = (best.endpoint, best.path)
        self.learned[endpoint.name] = Learned(template, sources, prelude, works=True, public=public)
        if (
            not public
            and not endpoint.is_read
            and endpoint.method == "POST"
            and not prelude
            and endpoint not in self.seed_order
        ):
            self.seed_order.append(endpoint)

    def _attempts(self, endpoint: Endpoint, *, thorough: bool) -> Iterator[tuple[Template, dict[Leaf, Any]]]:
        templates = [self._template(endpoint, choice) for choice in (Plain(), Plain(full=False), Plain(nth=1))]
        for template in templates[:2]:
            yield template, {}
        if not thorough:
            return
        yield templates[2], {}
        for template in templates:
            references = [leaf for leaf in template.leaves() if leaf.reference]
            for leaf in references:
                for seen in self._distinct(leaf, endpoint):
                    yield template, {leaf: seen}
            reused = self._reused(template)
            if reused:
                yield template, reused

    def _template(self, endpoint: Endpoint, choice: Plain) -> Template:
        return self.override(endpoint, TemplateBuilder(endpoint, choice).build())

    def _distinct(self, leaf: Leaf, endpoint: Endpoint) -> list[Any]:
        return list(dict.fromkeys(seen.value for seen in self.org.knowledge.ranked(leaf, endpoint)))[1:CANDIDATES]

    def _reused(self, template: Template) -> dict[Leaf, Any]:
        """Literals seen before under the same name: a parent's slug, a colleague's address."""
        newest: dict[str, Any] = {}
        for seen in self.org.knowledge.values():
            newest.setdefault(seen.key.lower(), seen.value)
        return {
            leaf: newest[leaf.name.lower()]
            for leaf in template.leaves()
            if not leaf.reference and isinstance(newest.get(leaf.name.lower()), str)
        }

    async def _try_after_siblings(self, endpoint: Endpoint) -> None:
        """A step of a state machine: make a new row, take one or two other steps with it, then this one."""
        if not endpoint.path_parameters or endpoint.is_read:
            return
        stem = endpoint.path.rsplit("}", 1)[0]
        siblings = [
            one
            for one in self.endpoints
            if one is not endpoint
            and one.path.startswith(stem)
            and one.method not in ("DELETE", "GET")
            and self.learned[one.name].works
        ]
        makers = [one for one in self.seed_order if one.path.rstrip("/") == endpoint.path.split("/{")[0]]
        for length in (1, 2):
            for steps in permutations(siblings[:4], length):
                for step in (*makers[:1], *steps):
                    await self.world.call(self.org, step, purpose="calibration")
                template = self.learned[endpoint.name].template
                exchange = await self.world.call(self.org, endpoint, template=template, purpose="calibration")
                if exchange.response.ok:
                    self._keep(endpoint, template, exchange, tuple(step.name for step in steps))
                    return
