"""O4: a reference to another org's row is answered like a reference to nothing."""

from __future__ import annotations

from typing import ClassVar

from interlock.testing.compare import caused, facts, said
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Attack, Story


class ExistenceOracle(Oracle):
    """Takes no side between 403 and 404: it demands that the two cannot be told apart."""

    code: ClassVar[str] = "O4"
    title: ClassVar[str] = "existence of another org's row"

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Compare status, headers and body of foreign and random references."""
        for attack in await story.attacks(endpoint):
            story.world.coverage.count(self.code, endpoint.name)
            if not attack.comparable:
                continue
            keys = self._told_apart(attack)
            if not keys:
                continue
            key = keys[0]
            before, foreign = (facts(one.response, attack.sent) for one in (attack.before, attack.foreign))
            leak(
                story.world,
                self,
                attack.foreign,
                surface=key,
                message=(
                    f"B can tell that A's {', '.join(leaf.key for leaf in attack.leaves)} exists: "
                    f"{key} is {said(foreign, key)}, for a reference to nothing {said(before, key)}"
                ),
                also=[attack.before],
            )

    @staticmethod
    def _told_apart(attack: Attack) -> list[str]:
        three = (facts(one.response, attack.sent) for one in (attack.before, attack.foreign, attack.after))
        return sorted(caused(*three), key=lambda key: key != "status")
