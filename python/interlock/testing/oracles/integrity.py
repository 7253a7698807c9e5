"""O6: nothing B sends changes a row of A."""

from __future__ import annotations

from typing import ClassVar

from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story


class IntegrityOracle(Oracle):
    """Compares A's rows before and after B used A's ids: in the database, or as A sees them without one."""

    code: ClassVar[str] = "O6"
    title: ClassVar[str] = "another org's rows changed"

    async def afterwards(self, story: Story) -> None:
        """In the example over everything, too: a write by id alone is what is forgotten most."""
        for endpoint in story.writes:
            await self.probe(story, endpoint)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
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
