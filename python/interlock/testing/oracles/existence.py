"""O4: a reference to another org's row is answered like a reference to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from interlock.testing.attacks import Attack, malformed
from interlock.testing.compare import Facts, facts, said
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.values import random_reference
from interlock.testing.world import Org

MAX_SEARCHES = 12


class ExistenceOracle(Oracle):
    """Takes no side between 403 and 404: it demands that the two cannot be told apart."""

    code: ClassVar[str] = "O4"
    title: ClassVar[str] = "existence of another org's row"

    async def afterwards(self, story: Story) -> None:
        """In the example over everything, too; reads first: B's writes make what it names as A has named its own."""
        for endpoint in [*story.readable(), *story.writes]:
            attacks = [*await story.attacker.attacks(endpoint), *await self._searches(story, endpoint)]
            await self._judge(story, endpoint, attacks)

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Compare status, headers and body of foreign and random references."""
        attacks = [*await story.attacker.attacks(endpoint), *await self._searches(story, endpoint)]
        await self._judge(story, endpoint, [*attacks, *await story.attacker.mentions(endpoint)])

    async def _judge(self, story: Story, endpoint: Endpoint, attacks: Sequence[Attack]) -> None:
        for attack in attacks:
            story.world.coverage.count(self.code, endpoint.name)
            if not attack.comparable:
                continue
            keys = await attack.told_apart()
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
            if isinstance(leaf, Leaf) and leaf.place == "query" and not leaf.reference and _takes_text(leaf):
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

        first = str(random_reference(leaf, story.world.random, "nothing like it"))
        empty = facts((await ask(story.a, first, "A searches for nothing")).response, [first])
        for wanted in story.a.knowledge.written(near=endpoint)[:MAX_SEARCHES]:
            own = (await ask(story.a, wanted, "A searches for its own")).response
            if not own.ok or facts(own, [wanted]).keys() == empty.keys():
                continue
            # Of the same form as what A wrote, so that a limit on length or characters treats them alike.
            nothing = [str(random_reference(leaf, story.world.random, wanted)) for _ in range(2)]
            missed = (await ask(story.a, nothing[0], "A searches for nothing")).response
            if not malformed(missed) and facts(own, [wanted]).keys() != facts(missed, nothing).keys():
                before = await ask(story.b, nothing[0], "B searches for nothing")
                foreign = await ask(story.b, wanted, "B searches for what A wrote")
                after = await ask(story.b, nothing[1], "B searches for nothing")

                async def again(like: str = wanted) -> Facts:
                    other = str(random_reference(leaf, story.world.random, like))
                    return facts((await ask(story.b, other, "B searches for nothing")).response, [other])

                return Attack((leaf,), before, foreign, after, (*nothing, wanted), True, (), again)
        return None


def _takes_text(leaf: Leaf) -> bool:
    """Whether anything that was written can be searched for there: a date or an address has a form of its own."""
    return not leaf.schema.keys() & {"format", "pattern"}
