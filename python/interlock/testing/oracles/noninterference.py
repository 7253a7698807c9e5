"""O3: what A writes changes nothing that B is shown: no count, total, order, tag, number or allowance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from interlock.testing.compare import Facts, caused, facts, said, stepped
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import REFERENCE, Template, middle
from interlock.testing.routes import Endpoint
from interlock.testing.story import TICK_SECONDS, Story
from interlock.testing.variations import asks_for_nothing
from interlock.testing.world import Org

QUIET_READINGS, MAX_QUIET_SECONDS = 10, 4.0
PASSES, LEAD, MAX_PASSING = 3, 3, 12
TURNS = 3  # of A's numbers one is larger than all before it, the next smaller


class NonInterferenceOracle(Oracle):
    """Asks as B twice, lets A write, asks again; what then moves must move again whenever A writes."""

    code: ClassVar[str] = "O3"
    title: ClassVar[str] = "another org's writes show"

    def __init__(self) -> None:
        self._first: dict[str, Facts] = {}
        self._second: dict[str, Facts] = {}

    async def before_writes(self, story: Story) -> None:
        """B asks everything twice, to learn what changes anyway: reads last, with no write of B's between them."""
        for asked in (story.seed_order, story.readable()):
            self._first |= await _ask_each(story, asked, "B asks before A writes")
            self._second |= await _ask_each(story, asked, "B asks before A writes")

    async def after_writes(self, story: Story) -> None:
        """B asks everything again; a difference is confirmed write by write."""
        for _ in range(TURNS - 1):
            await story.seed(story.a)
        for asked in (story.readable(), story.seed_order):
            third = await _ask_each(story, asked, "B asks after A wrote")
            for endpoint in asked:
                story.world.coverage.count(self.code, endpoint.name)
            moved = [one for one in asked if stepped(self._first[one.name], self._second[one.name], third[one.name])]
            for endpoint in await self._moved_again(story, moved):
                await self._confirm(story, endpoint)
        await self._ranks(story)

    async def _moved_again(self, story: Story, asked: Sequence[Endpoint]) -> list[Endpoint]:
        """Those that move once more when A writes, asked by turns, so that B's own requests tell on all alike."""
        if not asked:
            return []
        calm, second, third = [await _ask_each(story, asked, "B asks again before A writes") for _ in range(3)]
        for writer in [*story.seed_order, *story.changes] * TURNS:
            await story.world.call(story.a, writer, purpose="A writes")
        last = await _ask_each(story, asked, "B asks again after A wrote")

        def steps(name: str) -> set[str]:
            return {*stepped(second[name], third[name], last[name])} - {
                *stepped(calm[name], second[name], third[name])
            }

        return [one for one in asked if steps(one.name)]

    async def _confirm(self, story: Story, endpoint: Endpoint) -> None:
        writers = [*story.seed_order, *story.changes]
        step = await _step(story, endpoint, [*writers] * TURNS)
        if not step.moved or not step.moved - await _restless(story, endpoint, step.seconds):
            return  # a clock, or a counter of something else
        for writer in writers:
            await self._blame(story, endpoint, writer)

    async def _ranks(self, story: Story) -> None:
        """A's place among all moves only when A comes to have more than B."""
        behind = await _ask_each(story, story.readable(), "B asks while A may have less")
        await _pass(story, story.a, story.b)
        ahead = await _ask_each(story, story.readable(), "B asks when A has more")
        for endpoint in story.readable():
            first, second = self._first[endpoint.name], self._second[endpoint.name]
            moved = {*stepped(behind[endpoint.name], behind[endpoint.name], ahead[endpoint.name])}
            moved -= {*caused(first, second, first)}  # what was not the same twice before
            if moved and (moved := moved - await _restless(story, endpoint, 0.0)):
                await self._overtake(story, endpoint, moved)

    async def _overtake(self, story: Story, endpoint: Endpoint, noticed: set[str]) -> None:
        """Whether the endpoint moves each time that A comes to have more than B, as a rank does."""
        rounds: list[_Step] = []
        for _ in range(PASSES):
            await _pass(story, story.b, story.a)
            rounds.append(await _step(story, endpoint, [], lambda: _pass(story, story.a, story.b)))
            noticed &= rounds[-1].moved
            if not noticed:
                return
        noticed -= await _restless(story, endpoint, max(one.seconds for one in rounds))
        if not noticed:
            return
        last, key = rounds[-1], min(noticed)
        leak(
            story.world,
            self,
            last.after,
            surface=key,
            message=(
                f"B's {key} goes from {said(facts(last.before.response), key)} to "
                f"{said(facts(last.after.response), key)} whenever A comes to have more than B"
            ),
            also=[last.before],
        )

    async def _blame(self, story: Story, endpoint: Endpoint, writer: Endpoint) -> None:
        """Whether the endpoint moves at each of A's writes through ``writer``, and not in the time they take."""
        first = await _step(story, endpoint, [writer] * TURNS)
        if not first.moved:
            return
        again = await _step(story, endpoint, [writer] * TURNS)
        moved = first.moved & again.moved
        if moved:
            moved -= await _restless(story, endpoint, max(first.seconds, again.seconds))
        if not moved:
            return
        key = min(moved)
        leak(
            story.world,
            self,
            again.after,
            surface=key,
            message=(
                f"B's {key} goes from {said(facts(again.before.response), key)} to "
                f"{said(facts(again.after.response), key)} whenever A uses {writer.name}, and not otherwise"
            ),
            also=[again.before, *again.writes],
        )


@dataclass(frozen=True)
class _Step:
    """What moved at A's writes and did not without them, between two readings; and how long the writes took."""

    moved: set[str]
    before: Exchange
    writes: list[Exchange]
    after: Exchange
    seconds: float


async def _restless(story: Story, endpoint: Endpoint, seconds: float) -> set[str]:
    """What moves without A, in as much time as its writes took: a clock, a shuffled list, a choice between a few."""
    readings = [_facts(story, endpoint, await _ask(story, endpoint)) for _ in range(QUIET_READINGS // 2)]
    # Where it is judged for good, long enough for a clock of seconds.
    await asyncio.sleep(min(max(seconds, TICK_SECONDS if story.restful else 0.0), MAX_QUIET_SECONDS))
    readings += [_facts(story, endpoint, await _ask(story, endpoint)) for _ in range(QUIET_READINGS // 2)]
    return {key for three in zip(readings, readings[1:], readings[2:], strict=False) for key in stepped(*three)}


async def _pass(story: Story, behind: Org, ahead: Org) -> None:
    """Let one org make things until it has more of each kind than the other, less what it may have removed."""

    def made(org: Org, endpoint: Endpoint) -> int:
        return story.world.succeeded[org.index, endpoint.name]

    for writer in story.seed_order:
        missing = made(ahead, writer) + LEAD - made(behind, writer)
        for _ in range(min(missing, MAX_PASSING)):
            await story.world.call(behind, writer, purpose=f"{behind.name} makes more than {ahead.name} has")


async def _step(
    story: Story,
    endpoint: Endpoint,
    writers: Sequence[Endpoint],
    act: Callable[[], Awaitable[None]] | None = None,
) -> _Step:
    readings = [await _ask(story, endpoint) for _ in range(3)]
    started = time.monotonic()
    writes = [await story.world.call(story.a, writer, purpose="A writes") for writer in writers]
    if act is not None:
        await act()
    seconds = time.monotonic() - started
    last = await _ask(story, endpoint)
    calm, second, third = (_facts(story, endpoint, one) for one in readings)
    moved = set(stepped(second, third, _facts(story, endpoint, last))) - set(stepped(calm, second, third))
    return _Step(moved, readings[-1], writes, last, seconds)


async def _ask(story: Story, endpoint: Endpoint, purpose: str = "B asks") -> Exchange:
    """Ask as B; with the same numbers each time, so that what B's own writes add up to grows evenly."""
    template = _template(story, endpoint)
    numbers = {leaf: middle(leaf.schema) for leaf in template.leaves() if leaf.numeric}
    return await story.world.call(story.b, endpoint, template=template, given=numbers, purpose=purpose)


def _template(story: Story, endpoint: Endpoint) -> Template:
    """The usual one; for what takes an empty object that one, which counts and finds everything."""
    learned = story.world.learned[endpoint.name].template
    return replace(learned, body={}) if not endpoint.is_read and asks_for_nothing(endpoint) else learned


async def _ask_each(story: Story, asked: Sequence[Endpoint], purpose: str) -> dict[str, Facts]:
    return {one.name: _facts(story, one, await _ask(story, one, purpose)) for one in asked}


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
