"""O3: what A writes changes nothing that B is shown: no count, total, order, tag, number or allowance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from interlock.testing.compare import Facts, facts, said, stepped
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import REFERENCE, Template
from interlock.testing.routes import Endpoint
from interlock.testing.story import TICK_SECONDS, Story
from interlock.testing.variations import asks_for_nothing


class NonInterferenceOracle(Oracle):
    """Asks as B twice, lets A write, asks again; what then moves must move again whenever A writes."""

    code: ClassVar[str] = "O3"
    title: ClassVar[str] = "another org's writes show"

    def __init__(self) -> None:
        self._earlier: tuple[dict[str, Facts], dict[str, Facts]] = ({}, {})

    async def before_writes(self, story: Story) -> None:
        """B asks everything twice, to learn what changes anyway."""
        first = await _ask_everything(story, "B asks before A writes")
        second = await _ask_everything(story, "B asks before A writes")
        self._earlier = (first, second)

    async def after_writes(self, story: Story) -> None:
        """B asks everything again; a difference is confirmed write by write."""
        third = await _ask_everything(story, "B asks after A wrote")
        for endpoint in _asked(story):
            story.world.coverage.count(self.code, endpoint.name)
            first, second = (earlier[endpoint.name] for earlier in self._earlier)
            moved = stepped(first, second, third[endpoint.name])
            if any(f"{endpoint.name} {key}" not in story.clocks for key in moved):
                await self._confirm(story, endpoint)

    async def _confirm(self, story: Story, endpoint: Endpoint) -> None:
        writers = [*story.seed_order, *story.changes]
        if not (await self._step(story, endpoint, writers))[0]:
            return  # a clock, or a counter of something else
        for writer in writers:
            await self._blame(story, endpoint, writer)

    @staticmethod
    async def _step(
        story: Story, endpoint: Endpoint, writers: Sequence[Endpoint]
    ) -> tuple[set[str], Exchange, Exchange, Exchange]:
        """What moves at A's writes and not without them, with the reading before, the last write, the one after."""
        readings = [await _ask(story, endpoint) for _ in range(3)]
        writes = [await story.world.call(story.a, writer, purpose="A writes") for writer in writers]
        last = await _ask(story, endpoint)
        calm, second, third = (_facts(story, endpoint, one) for one in readings)
        step = set(stepped(second, third, _facts(story, endpoint, last))) - set(stepped(calm, second, third))
        return step, readings[-1], writes[-1], last

    async def _blame(self, story: Story, endpoint: Endpoint, writer: Endpoint) -> None:
        """Whether the endpoint moves at each of A's writes through ``writer``."""
        moved, *_ = await self._step(story, endpoint, [writer])
        if not moved:
            return
        again, reading, write, last = await self._step(story, endpoint, [writer])
        moved &= again
        moved = {key for key in moved if f"{endpoint.name} {key}" not in story.clocks}
        if moved and story.restful:
            moved -= await self._clocks(story, endpoint)
        if not moved:
            return
        key = min(moved)
        leak(
            story.world,
            self,
            last,
            surface=key,
            message=(
                f"B's {key} goes from {said(facts(reading.response), key)} to {said(facts(last.response), key)} "
                f"whenever A uses {writer.name}, and not otherwise"
            ),
            also=[reading, write],
        )

    async def _clocks(self, story: Story, endpoint: Endpoint) -> set[str]:
        """What moves because time passes, which it also does while A writes."""
        moved = [await self._tick(story, endpoint) for _ in range(2)]
        clocks = set.intersection(*moved)
        story.clocks.update(f"{endpoint.name} {key}" for key in clocks)
        return clocks

    @staticmethod
    async def _tick(story: Story, endpoint: Endpoint) -> set[str]:
        first, second = [await _ask(story, endpoint) for _ in range(2)]
        await asyncio.sleep(TICK_SECONDS)
        three = (first, second, await _ask(story, endpoint))
        return set(stepped(*(_facts(story, endpoint, one) for one in three)))


def _asked(story: Story) -> list[Endpoint]:
    """Everything that answers: reads, and writes too, whose answers may count or number what all orgs did."""
    return [*story.readable(), *story.seed_order]


async def _ask(story: Story, endpoint: Endpoint) -> Exchange:
    purpose = "B reads" if endpoint.is_read else "B writes"
    return await story.world.call(story.b, endpoint, template=_template(story, endpoint), purpose=purpose)


def _template(story: Story, endpoint: Endpoint) -> Template:
    """The usual one; for what takes an empty object that one, which counts and finds everything."""
    learned = story.world.learned[endpoint.name].template
    return replace(learned, body={}) if not endpoint.is_read and asks_for_nothing(endpoint) else learned


async def _ask_everything(story: Story, purpose: str) -> dict[str, Facts]:
    asked = {}
    for endpoint in _asked(story):
        template = _template(story, endpoint)
        exchange = await story.world.call(story.b, endpoint, template=template, purpose=purpose)
        asked[endpoint.name] = _facts(story, endpoint, exchange)
    return asked


def _facts(story: Story, endpoint: Endpoint, exchange: Exchange) -> Facts:
    """The facts of a read. Of a write only what is no id: ids come from one sequence, and lists grow with the org."""
    found = facts(exchange.response)
    if endpoint.is_read:
        return found
    used = {
        path for one in story.world.learned.values() for name, path in one.sources.values() if name == endpoint.name
    }
    sent = [value for value in exchange.values.values() if not isinstance(value, str)]
    return {
        key: value
        for key, value in found.items()
        if not _identifies(key, value) and key not in used and value not in sent
    }


def _identifies(key: str, value: object) -> bool:
    name = key.rpartition(".")[2]
    link = isinstance(value, str) and "/" in value
    return link or "[" in key or bool(REFERENCE.search(name)) or key == "header location"
