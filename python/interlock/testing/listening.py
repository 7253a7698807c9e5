"""Streams, long polls and sockets: what reaches B while A writes, and what a socket answers when B asks for A's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.testing.mined import names, uses
from interlock.testing.payloads import REFERENCE
from interlock.testing.routes import Endpoint

if TYPE_CHECKING:
    from interlock.testing.story import Story

OPENING_SECONDS, LISTENING_SECONDS = 0.3, 0.6
MAX_ASKED, MAX_MESSAGES, MAX_OWN_WRITES = 24, 12, 6


async def listen(story: Story, endpoint: Endpoint) -> None:
    """B holds the stream open while A writes, and then writes itself, so that something of its own arrives, too."""
    world = story.world
    request, values, origins = world.prepare(story.b, endpoint)
    full = world.authorize(story.b, endpoint, request)
    call = world.transport.start(full)
    await call.quiet(OPENING_SECONDS)
    for writer in [*story.seed_order, *story.changes]:
        await world.call(story.a, writer, purpose="A writes while B listens")
    for writer in story.seed_order[:MAX_OWN_WRITES]:
        await world.call(story.b, writer, purpose="B writes while it listens")
    answer = await call.result(LISTENING_SECONDS)
    world.record(story.b, endpoint, full, answer, values, origins, purpose="B listens while A writes")


async def converse(story: Story, endpoint: Endpoint) -> None:
    """B sends a socket messages that name what is A's, in the form that its code seems to want."""
    if not uses(endpoint.handler, "receive_json", "receive_text", "receive", "iter_json", "iter_text"):
        return
    world = story.world
    await story.seed(story.a)
    messages = tuple(_messages(story, endpoint))
    request, values, origins = world.prepare(story.b, endpoint)
    asked = replace(request, messages=messages)
    await world.send(story.b, endpoint, asked, values, origins, purpose="B asks for what is A's", own=False)


def _messages(story: Story, endpoint: Endpoint) -> Iterator[str]:
    known = [name for name in names(endpoint.handler) if name.isidentifier()][:MAX_MESSAGES]
    structured = uses(endpoint.handler, "receive_json", "iter_json", "loads")
    own = {str(seen.value) for seen in story.b.knowledge.values()}
    foreign: dict[tuple[str, str], str | int] = {}
    for seen in story.a.knowledge.values():
        text = str(seen.value)
        named = bool(REFERENCE.search(seen.key)) or "#" in seen.path
        if named and text not in own and text not in story.a.secrets and not seen.path.startswith("sent "):
            foreign.setdefault((seen.endpoint, seen.path), seen.value)
    wanted = [*list(foreign.values())[:MAX_ASKED], *story.a.names]
    for value in wanted:
        yield json.dumps(dict.fromkeys(known or ["id"], value)) if structured else str(value)
