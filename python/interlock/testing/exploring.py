"""What both orgs do beside reading and writing, whichever oracles watch: links, other options, streams, overlaps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.testing.exchange import Request
from interlock.testing.listening import converse, listen, overhear, resume
from interlock.testing.overlapping import act_on_what_is_there, write_together
from interlock.testing.paging import turn_pages
from interlock.testing.routes import Endpoint
from interlock.testing.variations import ask_too_little, vary

if TYPE_CHECKING:
    from interlock.testing.story import Story

MAX_LINKS = 8


async def explore_everything(story: Story) -> None:
    """Follow links, overlap reads, listen while the other writes, and ask everything otherwise."""
    await _follow_links(story)
    await _overlap(story)
    await write_together(story)
    await _open(story, story.endpoints)
    await act_on_what_is_there(story)
    await story.seed(story.a)  # whatever is kept of the last one, whoever it was, is A's
    for endpoint in story.readable():
        await ask_too_little(story, endpoint)
    for endpoint in [*story.readable(), *story.seed_order]:
        await vary(story, endpoint)
    for endpoint in story.readable():
        await turn_pages(story, endpoint)


async def explore(story: Story, endpoint: Endpoint) -> None:
    """The same for one endpoint."""
    if endpoint.websocket or story.world.learned[endpoint.name].streams:
        await _open(story, [endpoint])
    elif endpoint.is_read:
        await _after_failure(story, endpoint)
        await ask_too_little(story, endpoint)
        await vary(story, endpoint)
        await turn_pages(story, endpoint)
    else:
        await story.world.call(None, endpoint, purpose="nobody asks", own=False)


async def _follow_links(story: Story) -> None:
    """B follows its own links, and those that A was given unless they work without any account."""
    theirs, own = (org.knowledge.links()[:MAX_LINKS] for org in (story.a, story.b))
    for link in [*theirs, *(link for link in own if link not in theirs)]:
        endpoint = next(
            (one for one in story.endpoints if one.method == "GET" and one.pattern.fullmatch(link[0])), None
        )
        if endpoint is None:
            continue
        request = Request("GET", link[0], link[1])
        if link in own or not (await story.world.transport.send(request)).ok:
            purpose = "B follows its link" if link in own else "B follows A's link"
            await story.world.send(story.b, endpoint, request, purpose=purpose, own=False)


async def _overlap(story: Story) -> None:
    """A and B in flight together: module globals and shared connections show."""
    for endpoint in story.readable():
        await asyncio.gather(
            *(
                story.world.call(org, endpoint, purpose=f"{org.name} reads while the other does")
                for org in (story.a, story.b, story.a, story.b)
            )
        )


async def _open(story: Story, endpoints: Sequence[Endpoint]) -> None:
    """Listen to those of the endpoints that stream, and talk to sockets."""
    working = [one for one in endpoints if story.world.learned[one.name].works]
    streams = [one for one in working if story.world.learned[one.name].streams and not one.websocket]
    await listen(story, [*streams, *(one for one in working if one.websocket)])
    await resume(story, streams)
    for endpoint in working:
        if endpoint.websocket:
            await converse(story, endpoint)
            await overhear(story, endpoint)


async def _after_failure(story: Story, endpoint: Endpoint) -> None:
    """A fails somewhere, then B reads: what an error path forgets to undo."""
    for broken in story.endpoints:
        if not broken.is_read and broken.body is not None:
            request, _, _ = story.world.prepare(story.a, broken)
            await story.world.send(story.a, broken, replace(request, body=b"{"), purpose="A fails", own=False)
            break
    await story.world.call(story.a, endpoint, purpose="A reads")
    await story.world.call(story.b, endpoint, purpose="B reads after A")
