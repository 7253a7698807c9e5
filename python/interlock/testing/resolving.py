"""Finds out which slots of a request refer to something although any value is accepted there.

A batch answers 200 to ids of nothing, and a list of codes takes any text: only what the answer says about one of the
org's own tells that it is a reference, and to what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from interlock.testing.compare import caused, facts
from interlock.testing.knowledge import IDENTITY, singular, stem
from interlock.testing.payloads import Leaf, referring
from interlock.testing.routes import Endpoint
from interlock.testing.values import random_reference
from interlock.testing.world import Learned, Org, World

MAX_TRIED = 12


async def resolve(
    world: World, org: Org, candidates: Callable[[Leaf, Endpoint], list[Any]], endpoint: Endpoint
) -> None:
    """Learn the source of each slot in which one of the ``candidates`` is answered otherwise than ids of nothing."""
    learned = world.learned[endpoint.name]
    if not learned.works or learned.public or learned.prelude or endpoint.removes or endpoint.websocket:
        return
    for leaf in [*_unresolved(world, learned)]:
        for value in [one for one in candidates(leaf, endpoint) if one is not None][:MAX_TRIED]:
            source = _source(org, value)
            if source is not None and await _tells(world, org, endpoint, leaf, value):
                learned.template = referring(learned.template, [leaf.key])
                learned.sources[leaf.key] = source
                break


def _unresolved(world: World, learned: Learned) -> Iterator[Leaf]:
    """The slots outside the path that are references, or called or placed like some, from nobody knows where."""
    called = {name for one in world.endpoints.values() for name in one.path_parameters} | IDENTITY
    for leaf in learned.template.leaves():
        name = singular(leaf.name)
        like = leaf.reference or _listed(leaf) or (not leaf.numeric and (name in called or stem(name) in called))
        if leaf.place in ("body", "query") and leaf.key not in learned.sources and like:
            yield leaf


def _listed(leaf: Leaf) -> bool:
    return leaf.path.endswith("]") and leaf.schema.get("type") in ("string", "integer") and "format" not in leaf.schema


async def _tells(world: World, org: Org, endpoint: Endpoint, leaf: Leaf, value: Any) -> bool:
    """Whether the org's own value is answered otherwise than two of the same form that refer to nothing."""
    nothing = [random_reference(replace(leaf, reference=True), world.random, value) for _ in range(2)]
    asked = [
        await world.call(org, endpoint, given={leaf: one}, purpose="calibration")
        for one in (nothing[0], value, nothing[1])
    ]
    sent = [str(value), *map(str, nothing)]
    return asked[1].response.ok and bool(caused(*(facts(one.response, sent) for one in asked)))


def _source(org: Org, value: Any) -> tuple[str, str] | None:
    """Where the value was first given out, as the id of something if it was."""
    seen = (one for one in org.knowledge.values() if str(one.value) == str(value) and not one.path.startswith("sent "))
    places = [(one.endpoint, one.path) for one in seen]
    return org.knowledge.first(value) or (places[-1] if places else None)
