"""O7: what A writes is filed under A; B's rows stay as they were."""

from __future__ import annotations

from typing import ClassVar

from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.world import Org


class MisfiledOracle(Oracle):
    """Compares B's rows before and after A's own writes."""

    code: ClassVar[str] = "O7"
    title: ClassVar[str] = "a row filed under another org"
    needs_truth: ClassVar[bool] = True

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Let each org write through the endpoint, just after the other one did something."""
        if endpoint.is_read:
            return
        for writer, other in ((story.a, story.b), (story.b, story.a)):
            await story.fresh(writer, endpoint)
            await self._write(story, endpoint, writer, other)

    async def _write(self, story: Story, endpoint: Endpoint, writer: Org, other: Org) -> None:
        resting = await story.rested()
        before = await story.snapshot()
        exchange = await story.world.call(
            writer, endpoint, template=story.template, purpose=f"{writer.name} writes its own"
        )
        after = await story.snapshot()
        story.world.coverage.count(self.code, endpoint.name)
        noise = resting.changed(before, other)
        changed = [table for table in before.changed(after, other) if table not in noise]
        if changed:
            leak(
                story.world,
                self,
                exchange,
                surface=f"table {changed[0]}",
                message=f"{writer.name}'s own write changed rows of {other.name} in {', '.join(changed)}",
            )
