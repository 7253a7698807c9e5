"""O4: a reference to another org's row is answered like a reference to nothing."""

from __future__ import annotations

from typing import ClassVar

from interlock.testing.attacks import Attack
from interlock.testing.compare import caused, facts, said
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.values import random_reference
from interlock.testing.world import Org

MAX_SEARCHES = 30


class ExistenceOracle(Oracle):
    """Takes no side between 403 and 404: it demands that the two cannot be told apart."""

    code: ClassVar[str] = "O4"
    title: ClassVar[str] = "existence of another org's row"

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Compare status, headers and body of foreign and random references."""
        for attack in [*await story.attacker.attacks(endpoint), *await self._searches(story, endpoint)]:
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

    async def _searches(self, story: Story, endpoint: Endpoint) -> list[Attack]:
        """B searches for what A has written and has just found itself, between two searches for nothing."""
        if not endpoint.is_read or endpoint.websocket:
            return []
        found = []
        bare = story.world.learned[endpoint.name].template
        wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build()
        for slot, leaf in wide.parameters.items():
            if isinstance(leaf, Leaf) and leaf.place == "query" and not leaf.reference:
                template = Template({**bare.parameters, slot: leaf}, bare.body, bare.media_type)
                attack = await self._search(story, endpoint, template, leaf)
                if attack is not None:
                    found.append(attack)
        return found

    @staticmethod
    async def _search(story: Story, endpoint: Endpoint, template: Template, leaf: Leaf) -> Attack | None:
        async def ask(org: Org, text: str, purpose: str) -> Exchange:
            return await story.world.call(
                org, endpoint, template=template, given={leaf: text}, purpose=purpose, own=False
            )

        await story.seed(story.a)
        for wanted in story.a.knowledge.written()[:MAX_SEARCHES]:
            # Of the same form as what A wrote, so that a limit on length or characters treats them alike.
            nothing = [str(random_reference(leaf, story.world.random, wanted)) for _ in range(2)]
            missed = facts((await ask(story.a, nothing[0], "A searches for nothing")).response, nothing)
            own = facts((await ask(story.a, wanted, "A searches for its own")).response, [wanted])
            if own.keys() != missed.keys() and own["status"] == missed["status"]:
                before = await ask(story.b, nothing[0], "B searches for nothing")
                foreign = await ask(story.b, wanted, "B searches for what A wrote")
                after = await ask(story.b, nothing[1], "B searches for nothing")
                return Attack((leaf,), before, foreign, after, (*nothing, wanted), comparable=True, changed=())
        return None

    @staticmethod
    def _told_apart(attack: Attack) -> list[str]:
        three = (facts(one.response, attack.sent) for one in (attack.before, attack.foreign, attack.after))
        return sorted(caused(*three), key=lambda key: key != "status")
