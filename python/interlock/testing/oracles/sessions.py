"""O11: nothing issued to A serves B: neither its tags nor its idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from interlock.testing.compare import caused, facts, said, same
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import Leaf
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story

REPEATED = 12  # what is one of two at random looks like a difference in one round of four


@dataclass(frozen=True)
class _Keys:
    """What differs when B uses A's key, and the writes of B with its own, of A, and of B with A's."""

    different: set[str]
    own: Exchange
    of_a: Exchange
    replayed: Exchange


class SessionOracle(Oracle):
    """Probes what outlives a request. What links, cursors, caches and open streams bring to light is content: O1."""

    code: ClassVar[str] = "O11"
    title: ClassVar[str] = "something issued to another org works"

    async def afterwards(self, story: Story) -> None:
        """Revalidate with A's tag wherever there are tags; write with A's key."""
        tagged = {one.endpoint for one in story.world.exchanges if one.response.header("etag") is not None}
        for endpoint in story.readable():
            if endpoint.name in tagged:
                await self._tags(story, endpoint)
        for endpoint in story.writes:
            if not endpoint.removes and not endpoint.websocket:
                await self._idempotency(story, endpoint)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """The probes that fit the endpoint."""
        story.world.coverage.count(self.code, endpoint.name)
        if endpoint in story.readable():
            await self._tags(story, endpoint)
        elif not endpoint.is_read:
            await self._idempotency(story, endpoint)

    async def _tags(self, story: Story, endpoint: Endpoint) -> None:
        of_a = await story.world.call(story.a, endpoint, purpose="A reads")
        of_b = await story.world.call(story.b, endpoint, purpose="B reads")
        tag, own = of_a.response.header("etag"), of_b.response.header("etag")
        if tag is None or tag == own:
            return
        theirs = {leaf: value for leaf, value in of_a.values.items() if leaf.reference}
        for given in ({}, theirs) if theirs else ({},):
            await self._revalidate(story, endpoint, given, tag, of_a)

    async def _revalidate(
        self, story: Story, endpoint: Endpoint, given: Mapping[Leaf, Any], tag: str, of_a: Exchange
    ) -> None:
        """B has A's tag, for what is its own or, with ``given``, for what is A's."""
        asked: list[Exchange] = []
        for value, purpose in (('"none"', "B has no tag"), (tag, "B has A's tag"), ('"none"', "B has no tag")):
            asked.append(
                await story.world.call(
                    story.b, endpoint, given=given, headers=[("if-none-match", value)], purpose=purpose, own=False
                )
            )
        if given and asked[0].response.ok:
            return  # what everybody may see has one tag for all
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
        first = await self._keys(story, endpoint)
        different = set(first.different)
        for _ in range(REPEATED):
            if not different:
                return
            different &= (await self._keys(story, endpoint)).different
        if different:
            key = min(different, key=lambda key: (key != "status", key))
            replayed, own = (facts(one.response) for one in (first.replayed, first.own))
            leak(
                story.world,
                self,
                first.replayed,
                surface=key,
                message=f"with A's idempotency key B gets {said(replayed, key)}, with its own {said(own, key)}",
                also=[first.of_a, first.own],
            )

    @staticmethod
    async def _keys(story: Story, endpoint: Endpoint) -> _Keys:
        async def write(org: str, key: str, purpose: str) -> Exchange:
            writer = story.a if org == "A" else story.b
            await story.fresh(writer, endpoint)
            headers = [("idempotency-key", key), ("x-idempotency-key", key)]
            return await story.world.call(writer, endpoint, template=story.template, headers=headers, purpose=purpose)

        keys = [f"key-{story.world.random.getrandbits(64):016x}" for _ in range(4)]
        calm, before = [await write("B", key, "B writes with a key of its own") for key in (keys[3], keys[0])]
        of_a = await write("A", keys[1], "A writes with a key")
        replayed = await write("B", keys[1], "B writes with A's key")
        after = await write("B", keys[2], "B writes with a key of its own")
        first, *three = (facts(one.response, keys) for one in (calm, before, replayed, after))
        # What every second write is answered is nobody's doing.
        return _Keys({key for key in caused(*three) if same(first, three[0], key)}, before, of_a, replayed)
