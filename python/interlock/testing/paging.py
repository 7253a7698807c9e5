"""Pages behind a cursor: B turns its own, and those that A was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from interlock.testing.exchange import Exchange
from interlock.testing.payloads import Leaf, Plain, TemplateBuilder
from interlock.testing.routes import Endpoint
from interlock.testing.variations import SIZE

if TYPE_CHECKING:
    from interlock.testing.story import Story

MAX_TURNED = 3
_WHERE = re.compile(
    r"(?:next_?|page_?|start_?|starting_?)?(?:cursor|after|token|before|continuation|marker|from_?key|next)", re.I
)
_NEXT = re.compile(r"cursor|next|token|after|continu|marker|bookmark", re.IGNORECASE)


async def turn_pages(story: Story, endpoint: Endpoint) -> None:
    """Both ask for the shortest page; B goes on from where it, and from where A, was told that there is more."""
    bare = story.world.learned[endpoint.name].template
    wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build().parameters
    where = [slot for slot, one in wide.items() if slot[0] == "query" and isinstance(one, Leaf) and _is_cursor(one)]
    sizes = {
        (one.place, one.name): max(1, int(one.schema.get("minimum", 1)))
        for one in endpoint.parameters
        if one.place == "query" and one.schema.get("type") == "integer" and SIZE.fullmatch(one.name)
    }
    if not where:
        return
    short = {slot: value for slot, value in bare.parameters.items() if slot not in where} | sizes
    for org in (story.b, story.a):
        page = replace(bare, parameters=short)
        first = await story.world.call(org, endpoint, template=page, purpose=f"{org.name} asks for a short page")
        for token in list(dict.fromkeys(_tokens(first)))[:MAX_TURNED]:
            for slot in where:
                # As long as pages usually are: the more there is, the more shows.
                behind = {**{one: value for one, value in short.items() if one not in sizes}, slot: token}
                purpose = f"B asks for what comes after {org.name}'s page"
                await story.world.call(
                    story.b, endpoint, template=replace(bare, parameters=behind), purpose=purpose, own=False
                )


def _is_cursor(leaf: Leaf) -> bool:
    return leaf.schema.get("type", "string") == "string" and bool(_WHERE.fullmatch(leaf.name))


def _tokens(page: Exchange) -> Iterator[str]:
    """Texts that the answer gives under the name of a continuation, wherever they stand."""
    waiting: list[tuple[str, Any]] = [("", page.response.json)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((str(name), below) for name, below in value.items())
        elif isinstance(value, list):
            waiting.extend((key, below) for below in value[:1])
        elif isinstance(value, str) and value and "/" not in value and _NEXT.search(key):
            yield value
    yield from (value for name, value in page.response.headers if _NEXT.search(name) and "/" not in value)
