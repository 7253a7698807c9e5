"""O6: nothing B sends changes a row of A."""

from __future__ import annotations

from typing import ClassVar

from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story

MAX_KEYS = 4


class IntegrityOracle(Oracle):
    """Compares A's rows before and after B used A's ids: in the database, or as A sees them without one."""

    code: ClassVar[str] = "O6"
    title: ClassVar[str] = "another org's rows changed"

    async def afterwards(self, story: Story) -> None:
        """In the example over everything, too: a write by id alone is what is forgotten most."""
        for endpoint in story.writes:
            await self._references(story, endpoint)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """B writes with A's references, then under A's names."""
        await self._references(story, endpoint)
        await self._overwrites(story, endpoint)

    async def _references(self, story: Story, endpoint: Endpoint) -> None:
        """Look at what the attacks on the endpoint changed."""
        for attack in await story.attacker.attacks(endpoint):
            story.world.coverage.count(self.code, endpoint.name)
            if attack.changed:
                leak(
                    story.world,
                    self,
                    attack.foreign,
                    surface=attack.changed[0],
                    message=f"B's request changed A's data in {', '.join(attack.changed[:3])}",
                )

    async def _overwrites(self, story: Story, endpoint: Endpoint) -> None:
        """B writes under each name alone that A has written under: imports and upserts find rows by such a key."""
        template = story.template or story.world.learned[endpoint.name].template
        keys = [leaf for leaf in template.leaves() if leaf.place == "body" and not leaf.reference and not leaf.numeric]
        if endpoint.is_read or endpoint.removes or len(keys) < 2:
            return
        for key in keys[:MAX_KEYS]:
            for org in (story.a, story.b):
                await story.fresh(org, endpoint)
            written = await story.world.call(story.a, endpoint, template=template, purpose="A writes")
            if not written.response.ok:
                return
            resting = await story.rested(endpoint)
            before = await story.snapshot(endpoint)
            given = {key: written.values[key]}
            copied = await story.world.call(
                story.b, endpoint, template=template, given=given, purpose="B writes under the same name", own=False
            )
            after = await story.snapshot(endpoint)
            story.world.coverage.count(self.code, endpoint.name)
            changed = [one for one in before.changed(after, story.a) if one not in resting.changed(before, story.a)]
            restless = await story.restless(endpoint, changed)
            if places := [one for one in changed if one not in restless]:
                leak(
                    story.world,
                    self,
                    copied,
                    surface=places[0],
                    message=f"B's write with A's {key.key} changed A's data in {', '.join(places[:3])}",
                    also=[written],
                )
