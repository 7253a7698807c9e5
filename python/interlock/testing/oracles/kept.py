"""Whether B is given the answer that was kept for A: a cache that forgets whose figures it keeps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from interlock.testing.compare import caused, facts, same
from interlock.testing.exchange import Exchange
from interlock.testing.moments import wider
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.world import Org

ROUNDS, QUIET_READINGS, MAX_DAYS = 3, 10, 2500


async def kept_for_another(story: Story, endpoint: Endpoint) -> tuple[set[str], list[Exchange]]:
    """What is otherwise where A has asked for the same days before, each time; with the exchanges of the last time.

    All days enclose what was written, so what is not kept is the same for each.
    """
    bare = story.world.learned[endpoint.name].template
    wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build().parameters
    days = {slot: leaf for slot, leaf in wide.items() if slot[0] == "query" and _is_end(leaf)}
    template = replace(bare, parameters={**bare.parameters, **days})
    moved: set[str] | None = None
    told: list[Exchange] = []
    for _ in range(ROUNDS if days else 0):
        first, kept, last = (_asked(story, days) for _ in range(3))
        await _ask(story, story.a, endpoint, template, kept)
        told = [await _ask(story, story.b, endpoint, template, given) for given in (first, kept, last)]
        sent = [str(day) for given in (first, kept, last) for day in given.values()]
        found = set(caused(*(facts(one.response, sent) for one in told)))
        moved = found if moved is None else moved & found
        if not moved:
            break
    return (moved or set()) - (await _at_random(story, endpoint, template, days) if moved else set()), told


async def _at_random(
    story: Story, endpoint: Endpoint, template: Template, days: dict[tuple[str, str], Leaf]
) -> set[str]:
    """What is not the same either where nobody has asked before: one of a few."""
    readings = []
    for _ in range(QUIET_READINGS):
        given = _asked(story, days)
        found = await _ask(story, story.b, endpoint, template, given)
        readings.append(facts(found.response, [str(day) for day in given.values()]))
    return {key for one, two in pairwise(readings) for key in {*one, *two} if not same(one, two, key)}


def _is_end(leaf: Any) -> bool:
    kind = leaf.schema.get("format") if isinstance(leaf, Leaf) else None
    return kind in ("date", "date-time") and wider(leaf.name, 1, str(kind)) is not None


def _asked(story: Story, days: dict[tuple[str, str], Leaf]) -> dict[Leaf, Any]:
    """Days that nobody has asked for yet."""
    further = story.world.random.randint(1, MAX_DAYS)
    return {leaf: wider(leaf.name, further, str(leaf.schema["format"])) for leaf in days.values()}


async def _ask(story: Story, org: Org, endpoint: Endpoint, template: Template, given: dict[Leaf, Any]) -> Exchange:
    purpose = f"{org.name} asks for these days"
    return await story.world.call(org, endpoint, template=template, given=given, purpose=purpose)
