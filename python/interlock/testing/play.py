"""Two orgs driven step by step from synchronous code: what a stateful test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.testing.exchange import Response
from interlock.testing.finding import leak
from interlock.testing.oracles.integrity import IntegrityOracle
from interlock.testing.story import Story
from interlock.testing.world import Org

if TYPE_CHECKING:
    from interlock.testing.session import Session


class Play:
    """A story without a plot. Every response is shown to the oracles that look at content and ids."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._story: Story = session.run(session.new_story())
        working = [one for one in session.endpoints if session.learned[one.name].works and not one.websocket]
        still = [one for one in working if not session.learned[one.name].streams]
        self.writes = [one.name for one in still if not one.is_read]
        self.reads = [one.name for one in still if one.is_read]
        self.all = [*self.writes, *self.reads]

    @property
    def exchanges(self) -> int:
        """How many requests have been sent."""
        return len(self._story.world.exchanges)

    def call(self, org: str, endpoint: str) -> Response:
        """Send the endpoint's usual request as org ``"A"`` or ``"B"``, with its own ids."""
        return self._session.run(self._call(self._org(org), endpoint))

    def trespass(self, org: str, endpoint: str) -> list[Response]:
        """Use the other org's ids in each slot of the endpoint; its rows must stay as they are."""
        return self._session.run(self._trespass(self._org(org), endpoint))

    def finish(self) -> None:
        """Each org reads everything once more."""
        self._session.run(self._finish())

    def _org(self, name: str) -> Org:
        return self._story.a if name == "A" else self._story.b

    async def _call(self, org: Org, endpoint: str) -> Response:
        exchange = await self._story.world.call(org, self._story.world.endpoints[endpoint], purpose=f"{org.name} acts")
        return exchange.response

    async def _trespass(self, org: Org, endpoint: str) -> list[Response]:
        story = self._story
        view = story.seen_by(org)
        attacks = await view.attacker.attacks(story.world.endpoints[endpoint])
        for attack in attacks:
            if attack.changed:
                leak(
                    story.world,
                    IntegrityOracle(),
                    attack.foreign,
                    surface=attack.changed[0],
                    message=f"{org.name}'s request changed {view.a.name}'s data in {', '.join(attack.changed[:3])}",
                )
        return [attack.foreign.response for attack in attacks]

    async def _finish(self) -> None:
        for org in (self._story.a, self._story.b):
            await self._story.sweep(org, f"{org.name} reads at the end", bare=True)
