"""O11: nothing issued to A serves B: tags, idempotency keys, links, cursors, open streams, overlapping requests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

from interlock.testing.compare import caused, facts, said
from interlock.testing.exchange import Exchange, Request
from interlock.testing.finding import leak
from interlock.testing.listening import converse, listen
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.variations import vary

MAX_LINKS = 8


class SessionOracle(Oracle):
    """Probes what outlives a request. Content that surfaces is found by the passive oracles."""

    code: ClassVar[str] = "O11"
    title: ClassVar[str] = "something issued to another org works"

    async def afterwards(self, story: Story) -> None:
        """Follow A's links as B, and overlap A's and B's reads."""
        await self._links(story)
        await self._overlap(story)
        for endpoint in story.endpoints:
            await self._open(story, endpoint)
        tagged = {one.endpoint for one in story.world.exchanges if one.response.header("etag") is not None}
        for endpoint in [*story.readable(), *story.seed_order]:
            await vary(story, endpoint)
            if endpoint.is_read and endpoint.name in tagged:
                await self._tags(story, endpoint)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """The probes that fit the endpoint."""
        story.world.coverage.count(self.code, endpoint.name)
        if endpoint.websocket or story.world.learned[endpoint.name].streams:
            await self._open(story, endpoint)
        elif endpoint.is_read:
            await self._after_failure(story, endpoint)
            await vary(story, endpoint)
        else:
            await self._idempotency(story, endpoint)
            await story.world.call(None, endpoint, purpose="nobody asks", own=False)

    async def _links(self, story: Story) -> None:
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

    async def _overlap(self, story: Story) -> None:
        """A and B in flight together: module globals and shared connections show."""
        for endpoint in story.readable():
            await asyncio.gather(
                *(
                    story.world.call(org, endpoint, purpose=f"{org.name} reads while the other does")
                    for org in (story.a, story.b, story.a, story.b)
                )
            )

    @staticmethod
    async def _open(story: Story, endpoint: Endpoint) -> None:
        learned = story.world.learned[endpoint.name]
        if learned.works and (endpoint.websocket or learned.streams):
            await listen(story, endpoint)
        if learned.works and endpoint.websocket:
            await converse(story, endpoint)

    async def _after_failure(self, story: Story, endpoint: Endpoint) -> None:
        """A fails somewhere, then B reads: what an error path forgets to undo."""
        for broken in story.endpoints:
            if not broken.is_read and broken.body is not None:
                request, _, _ = story.world.prepare(story.a, broken)
                await story.world.send(story.a, broken, replace(request, body=b"{"), purpose="A fails", own=False)
                break
        await story.world.call(story.a, endpoint, purpose="A reads")
        await story.world.call(story.b, endpoint, purpose="B reads after A")

    async def _tags(self, story: Story, endpoint: Endpoint) -> None:
        of_a = await story.world.call(story.a, endpoint, purpose="A reads")
        of_b = await story.world.call(story.b, endpoint, purpose="B reads")
        tag, own = of_a.response.header("etag"), of_b.response.header("etag")
        if tag is None or tag == own:
            return
        asked: list[Exchange] = []
        for value, purpose in (('"none"', "B has no tag"), (tag, "B has A's tag"), ('"none"', "B has no tag")):
            asked.append(
                await story.world.call(
                    story.b, endpoint, headers=[("if-none-match", value)], purpose=purpose, own=False
                )
            )
        three = [facts(one.response, [tag]) for one in asked]
        if "status" in caused(*three):
            leak(
                story.world,
                self,
                asked[1],
                surface="status",
                message=f"with A's ETag B gets {said(three[1], 'status')}, with another {said(three[0], 'status')}",
                also=[of_a],
            )

    async def _idempotency(self, story: Story, endpoint: Endpoint) -> None:
        async def write(org: str, key: str, purpose: str) -> Exchange:
            writer = story.a if org == "A" else story.b
            await story.fresh(writer, endpoint)
            headers = [("idempotency-key", key), ("x-idempotency-key", key)]
            return await story.world.call(writer, endpoint, template=story.template, headers=headers, purpose=purpose)

        keys = [f"key-{story.world.random.getrandbits(64):016x}" for _ in range(3)]
        before = await write("B", keys[0], "B writes with a key of its own")
        of_a = await write("A", keys[1], "A writes with a key")
        replayed = await write("B", keys[1], "B writes with A's key")
        after = await write("B", keys[2], "B writes with a key of its own")
        three = [facts(one.response, keys) for one in (before, replayed, after)]
        different = sorted(caused(*three), key=lambda key: key != "status")
        if different:
            leak(
                story.world,
                self,
                replayed,
                surface=different[0],
                message=(
                    f"with A's idempotency key B gets {said(three[1], different[0])}, "
                    f"with its own {said(three[0], different[0])}"
                ),
                also=[of_a, before],
            )
