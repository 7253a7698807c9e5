"""What an oracle is: it looks at every exchange, or it probes one endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from interlock.testing.exchange import Exchange
    from interlock.testing.routes import Endpoint
    from interlock.testing.story import Story
    from interlock.testing.world import World


class Oracle:
    """A question about isolation. ``needs_truth`` if it cannot be asked without an admin connection."""

    code: ClassVar[str]
    title: ClassVar[str]
    needs_truth: ClassVar[bool] = False

    def inspect(self, world: World, exchange: Exchange) -> None:
        """Look at one exchange, whoever sent it."""

    async def before_writes(self, story: Story) -> None:
        """Called when B is settled and A has written nothing."""

    async def after_writes(self, story: Story) -> None:
        """Called when A has written through every endpoint."""

    async def afterwards(self, story: Story) -> None:
        """Called when both orgs have read everything: for what is costly or disturbs."""

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Ask about one endpoint; both orgs have data."""
