"""What B asks to see whether A shows: each question thrice, so that what moves by itself does not count."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from interlock.testing.compare import Facts, facts, stepped, wavered
from interlock.testing.exchange import Exchange
from interlock.testing.payloads import REFERENCE, Leaf, Template, middle
from interlock.testing.routes import Endpoint
from interlock.testing.story import TICK_SECONDS, Story
from interlock.testing.variations import asks_for_nothing, options
from interlock.testing.world import Org

QUIET_READINGS, MAX_QUIET_SECONDS, MAX_OPTIONS = 10, 4.0, 8
_NUMBERED = re.compile(r"([^\W\d_][^\d/]{0,11})(\d{1,9})")


@dataclass(frozen=True)
class Question:
    """A request that is repeated: an endpoint's usual one, or with ``option`` one that its ``template`` makes."""

    endpoint: Endpoint
    option: str = ""
    template: Template | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.endpoint.name, self.option


@dataclass(frozen=True)
class Step:
    """What moved at A's acts and did not without them, between two readings; and how long the acts took."""

    moved: set[str]
    before: Exchange
    writes: list[Exchange]
    after: Exchange
    seconds: float


def usual(endpoints: Iterable[Endpoint]) -> list[Question]:
    """The questions that the usual requests of these endpoints are."""
    return [Question(one) for one in endpoints]


def optional(story: Story, endpoints: Iterable[Endpoint]) -> Iterator[Question]:
    """The questions that one option each makes of them: another grouping counts what the usual one does not."""
    for endpoint in endpoints:
        bare = story.world.learned[endpoint.name].template
        for slot, value in options(endpoint)[:MAX_OPTIONS]:
            said = value.name if isinstance(value, Leaf) else value
            yield Question(endpoint, f"{slot[1]}={said}", replace(bare, parameters={**bare.parameters, slot: value}))


async def restless(story: Story, question: Question, seconds: float) -> set[str]:
    """What moves without A, in as much time as its acts took: a clock, a shuffled list, a choice between a few."""
    readings = [facts_of(story, question, await ask(story, question)) for _ in range(QUIET_READINGS // 2)]
    # Where it is judged for good, long enough for a clock of seconds.
    await asyncio.sleep(min(max(seconds, TICK_SECONDS if story.restful else 0.0), MAX_QUIET_SECONDS))
    readings += [facts_of(story, question, await ask(story, question)) for _ in range(QUIET_READINGS // 2)]
    return unsteady(readings)


def unsteady(readings: Sequence[Facts]) -> set[str]:
    """The facts that are not the same in each reading, and do not drift by the same amount either."""
    moved = {key for three in zip(readings, readings[1:], readings[2:], strict=False) for key in stepped(*three)}
    # One of a few at random may never be the same twice and then another: it only wavers.
    return moved.union(*(wavered(*two) for two in pairwise(readings)))


async def step(story: Story, question: Question, act: Callable[[], Awaitable[list[Exchange]]]) -> Step:
    """B asks three times, another org acts, B asks again."""
    readings = [await ask(story, question) for _ in range(3)]
    started = time.monotonic()
    writes = await act()
    seconds = time.monotonic() - started
    last = await ask(story, question)
    calm, second, third = (facts_of(story, question, one) for one in readings)
    moved = set(stepped(second, third, facts_of(story, question, last))) - set(stepped(calm, second, third))
    return Step(moved, readings[-1], writes, last, seconds)


async def ask(story: Story, question: Question, purpose: str = "B asks", org: Org | None = None) -> Exchange:
    """Ask as B; with the same numbers each time, so that what B's own writes add up to grows evenly."""
    template = question.template or _template(story, question.endpoint)
    numbers = {leaf: middle(leaf.schema) for leaf in template.leaves() if leaf.numeric}
    return await story.world.call(org or story.b, question.endpoint, template=template, given=numbers, purpose=purpose)


async def ask_each(story: Story, asked: Sequence[Question], purpose: str) -> dict[tuple[str, str], Facts]:
    """What B is answered to each question."""
    return {one.key: facts_of(story, one, await ask(story, one, purpose)) for one in asked}


def facts_of(story: Story, question: Question, exchange: Exchange) -> Facts:
    """The facts of a read. Of a write only what is no id: ids come from one sequence, and lists grow with the org."""
    found, endpoint = facts(exchange.response), question.endpoint
    if endpoint.is_read:
        return found
    used = {
        path for one in story.world.learned.values() for name, path in one.sources.values() if name == endpoint.name
    }
    sent = [value for value in exchange.values.values() if not isinstance(value, str)]
    kept = {
        key: value
        for key, value in found.items()
        if not _identifies(key, value) and key not in used and value not in sent
    }
    return kept | _numbers(found)


def _numbers(found: Facts) -> Facts:
    """The number in a text such as ``INV-00012``: one that people count by, though what it numbers is found by it."""
    texts = ((key, value) for key, value in found.items() if isinstance(value, str) and not _identifies(key, value))
    matches = ((key, _NUMBERED.fullmatch(value)) for key, value in texts)
    return {key: int(match.group(2)) for key, match in matches if match is not None}


def _template(story: Story, endpoint: Endpoint) -> Template:
    """The usual one; for what takes an empty object that one, which counts and finds everything."""
    learned = story.world.learned[endpoint.name].template
    return replace(learned, body={}) if not endpoint.is_read and asks_for_nothing(endpoint) else learned


def _identifies(key: str, value: object) -> bool:
    name = key.rpartition(".")[2]
    link = isinstance(value, str) and "/" in value
    return link or "[" in key or bool(REFERENCE.search(name)) or key == "header location"
