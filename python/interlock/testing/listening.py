"""Streams, long polls and sockets: what reaches B while A writes, and what a socket answers when B asks for A's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from interlock.testing.attacks import is_id
from interlock.testing.client import Call
from interlock.testing.compare import caused, facts
from interlock.testing.exchange import Exchange, Request
from interlock.testing.mined import names, uses
from interlock.testing.payloads import REFERENCE, Leaf
from interlock.testing.routes import Endpoint

if TYPE_CHECKING:
    from interlock.testing.story import Story

OPENING_SECONDS, LISTENING_SECONDS = 0.3, 0.6
MAX_ASKED, MAX_MESSAGES, MAX_OWN_WRITES = 24, 12, 6
ROUNDS = 3  # that a socket tells otherwise in company
_RECEIVING = ("receive_json", "receive_text", "receive", "iter_json", "iter_text")
_KINDS = frozenset({"op", "type", "action", "event", "command", "cmd", "method", "kind", "do"})
_SPOKEN = Leaf("message", "text", "text", {"type": "string"})


async def listen(story: Story, endpoints: Sequence[Endpoint]) -> None:
    """B holds the streams open while A writes, and then writes itself, so that something of its own arrives, too."""
    if not endpoints:
        return
    world, held = story.world, _opened(story, endpoints)
    await asyncio.gather(*(one.call.quiet(OPENING_SECONDS) for one in held))
    for writer in [*story.seed_order, *story.changes]:
        await world.call(story.a, writer, purpose="A writes while B listens")
    for writer in story.seed_order[:MAX_OWN_WRITES]:
        await world.call(story.b, writer, purpose="B writes while it listens")
    await _left(story, held, LISTENING_SECONDS, "B listens while A writes")


async def resume(story: Story, endpoints: Sequence[Endpoint]) -> None:
    """B takes up the streams where everything is still to come, as a browser does after a break (HTML, 9.2)."""
    held = _opened(story, endpoints, [("last-event-id", "0")])
    await _left(story, held, OPENING_SECONDS, "B resumes from the beginning")


@dataclass(frozen=True)
class _Held:
    """A stream that B holds open, and what it was asked with."""

    endpoint: Endpoint
    request: Request
    values: dict[Leaf, Any]
    origins: tuple[int, ...]
    call: Call


def _opened(story: Story, endpoints: Sequence[Endpoint], headers: Sequence[tuple[str, str]] = ()) -> list[_Held]:
    held = []
    for endpoint in endpoints:
        request, values, origins = story.world.prepare(story.b, endpoint)
        asked = replace(request, headers=(*request.headers, *headers))
        full = story.world.authorize(story.b, endpoint, asked)
        held.append(_Held(endpoint, full, values, origins, story.world.transport.start(full)))
    return held


async def _left(story: Story, held: Sequence[_Held], seconds: float, purpose: str) -> None:
    """Leave the streams after these seconds, and show what came to the oracles."""
    answers = await asyncio.gather(*(one.call.result(seconds) for one in held))
    for one, answer in zip(held, answers, strict=True):
        story.world.record(story.b, one.endpoint, one.request, answer, one.values, one.origins, purpose=purpose)


async def in_company(story: Story, endpoint: Endpoint) -> tuple[set[str], list[Exchange]]:
    """What a socket tells B otherwise while A is connected, each time; with the exchanges of the last time."""
    moved: set[str] | None = None
    told: list[Exchange] = []
    for _ in range(ROUNDS if uses(endpoint.handler, *_RECEIVING) else 0):
        told = [await _speak(story, endpoint, accompanied=accompanied) for accompanied in (False, True, False)]
        found = set(caused(*(facts(one.response) for one in told)))
        moved = found if moved is None else moved & found
        if not moved:
            break
    return moved or set(), told


async def _speak(story: Story, endpoint: Endpoint, *, accompanied: bool) -> Exchange:
    world = story.world
    company = None
    if accompanied:
        request, _, _ = world.prepare(story.a, endpoint)
        company = world.transport.start(world.authorize(story.a, endpoint, request))
        await company.quiet(OPENING_SECONDS)
    request, values, origins = world.prepare(story.b, endpoint)
    spoken = replace(request, messages=tuple(_worded(endpoint, "anybody")))
    purpose = "B speaks while A is there" if accompanied else "B speaks"
    answer = await world.send(story.b, endpoint, spoken, values, origins, purpose=purpose, own=False)
    if company is not None:
        await company.result(0.0)
    return answer


async def converse(story: Story, endpoint: Endpoint) -> None:
    """B sends a socket messages that name what is A's, in the form that its code seems to want."""
    if not uses(endpoint.handler, *_RECEIVING):
        return
    world = story.world
    await story.seed(story.a)
    messages = tuple(_messages(story, endpoint))
    request, values, origins = world.prepare(story.b, endpoint)
    asked = replace(request, messages=messages)
    await world.send(story.b, endpoint, asked, values, origins, purpose="B asks for what is A's", own=False)


async def overhear(story: Story, endpoint: Endpoint) -> None:
    """B is connected where A is, as far as B may call the place what A calls it; then A speaks."""
    if not uses(endpoint.handler, *_RECEIVING):
        return
    world = story.world
    said, values, origins = world.prepare(story.a, endpoint)
    same = {leaf: value for leaf, value in values.items() if str(value) not in story.a.secrets and is_id(value)}
    request, heard, _ = world.prepare(story.b, endpoint, given=same)
    full = world.authorize(story.b, endpoint, request)
    call = world.transport.start(full)
    await call.quiet(OPENING_SECONDS)
    text = world.canary(story.a, endpoint, _SPOKEN)
    spoken = replace(said, messages=tuple(_worded(endpoint, text)))
    await world.send(story.a, endpoint, spoken, values, origins, purpose="A speaks while B listens", own=False)
    answer = await call.result(LISTENING_SECONDS)
    world.record(story.b, endpoint, full, answer, heard, purpose="B listens while A speaks", own=False)


def _worded(endpoint: Endpoint, value: str | int) -> Iterator[str]:
    """Messages that carry the value, in the form that the code of the socket seems to want."""
    if not uses(endpoint.handler, "receive_json", "iter_json", "loads"):
        yield str(value)
        return
    known = [name for name in names(endpoint.handler) if name.isidentifier()][:MAX_MESSAGES] or ["id"]
    plain = dict.fromkeys(known, value)
    yield json.dumps(plain)
    for key in known:
        if key.lower() in _KINDS:  # what is to be done is one of the other words
            yield from (json.dumps({**plain, key: word}) for word in known if word != key)


def _messages(story: Story, endpoint: Endpoint) -> Iterator[str]:
    own = {str(seen.value) for seen in story.b.knowledge.values()}
    referred_to = {source for one in story.world.learned.values() for source in one.sources.values()}
    foreign: dict[tuple[str, str], str | int] = {}
    for seen in story.a.knowledge.values():
        text = str(seen.value)
        served = (seen.endpoint, seen.path) in referred_to  # what other endpoints are asked for, whatever its name
        named = bool(REFERENCE.search(seen.key)) or "#" in seen.path or served
        if named and text not in own and text not in story.a.secrets and not seen.path.startswith("sent "):
            foreign.setdefault((seen.endpoint, seen.path), seen.value)
    wanted = [*list(foreign.values())[:MAX_ASKED], *story.a.names]
    for value in wanted:
        yield from _worded(endpoint, value)
