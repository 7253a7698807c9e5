"""O5: B's write of the same content as A's goes as in a world where A never wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from interlock.testing.compare import caused, facts, said, same
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import Leaf, middle, room
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story

MANY = 50
REPEATED = 12  # what is one of two at random looks noticed in one round of four


@dataclass(frozen=True)
class _Round:
    written: Exchange
    own: Exchange
    copied: Exchange
    noticed: frozenset[str]


class NaturalKeyOracle(Oracle):
    """Unique constraints, deduplication and content hashes that forget the org (PostgreSQL: they bypass RLS)."""

    code: ClassVar[str] = "O5"
    title: ClassVar[str] = "another org's content is noticed"

    async def afterwards(self, story: Story) -> None:
        """In the example over everything, too, for what makes something: there is where a key is taken."""
        for endpoint in story.seed_order:
            await self.probe(story, endpoint)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Sandwich the copy of A's write between two of B's own; what shows must show every time."""
        if endpoint.is_read:
            return
        story.world.coverage.count(self.code, endpoint.name)
        last = await self._round(story, endpoint)
        noticed = last.noticed
        for _ in range(REPEATED):
            if not noticed:
                return
            last = await self._round(story, endpoint)
            noticed &= last.noticed
        both = sorted(noticed, key=lambda key: key != "status")
        if not both:
            return
        own, copied = facts(last.own.response), facts(last.copied.response)
        leak(
            story.world,
            self,
            last.copied,
            surface=both[0],
            message=(
                f"B's write of what A has written gives {both[0]} {said(copied, both[0])}, "
                f"of anything else {said(own, both[0])}"
            ),
            also=[last.written, last.own],
        )

    async def _round(self, story: Story, endpoint: Endpoint) -> _Round:
        template = story.template or story.world.learned[endpoint.name].template
        # Of a few numbers B's own are all alike and A's another: what is reckoned from them would differ, too.
        few = {leaf: middle(leaf.schema) for leaf in template.leaves() if leaf.numeric and room(leaf.schema) < MANY}

        async def write(org: str, content: Mapping[Leaf, Any], purpose: str = "") -> Exchange:
            writer = story.a if org == "A" else story.b
            await story.fresh(writer, endpoint)
            given = {**few, **content}
            return await story.world.call(writer, endpoint, template=template, given=given, purpose=purpose)

        calm, own = [await write("B", {}, "B writes something else") for _ in range(2)]
        written = await write("A", {}, "A writes")
        content = {leaf: value for leaf, value in written.values.items() if not leaf.reference}
        copied = await write("B", content, "B writes the same content as A")
        other = await write("B", {}, "B writes something else")
        before, *three = (facts(one.response) for one in (calm, own, copied, other))
        # What every second write is answered is nobody's doing.
        noticed = {key for key in caused(*three) if same(before, three[0], key)} if content else ()
        return _Round(written, own, copied, frozenset(noticed))
