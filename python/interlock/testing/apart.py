"""Two slots that take rows of one kind, and not one row twice: a merge, a transfer, a swap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.testing.payloads import Leaf, Template
from interlock.testing.routes import Endpoint
from interlock.testing.world import Org, World


def rows_apart(world: World, org: Org, endpoint: Endpoint, template: Template) -> dict[Leaf, Any]:
    """Other rows for the slots that would refer to the row of a slot before them; empty if there are none such."""
    _, values, _ = world.prepare(org, endpoint, template)
    taken: set[str] = set()
    others: dict[Leaf, Any] = {}
    for leaf, value in values.items():
        if leaf.reference and str(value) in taken:
            ranked = org.knowledge.ranked(leaf, endpoint)
            place = next(((seen.endpoint, seen.path) for seen in ranked if str(seen.value) == str(value)), None)
            rest = [one.value for one in ranked if (one.endpoint, one.path) == place and str(one.value) not in taken]
            if rest:
                others[leaf] = rest[0]
        taken.add(str(others.get(leaf, value)))
    return others


def kept_apart(values: Mapping[Leaf, Any], sources: Mapping[str, tuple[str, str]]) -> frozenset[str]:
    """The keys of slots that took another row than a slot before them, from the same source."""
    taken: dict[tuple[str, str], str] = {}
    apart = set()
    for leaf, value in values.items():
        source = sources.get(leaf.key)
        if source is not None and taken.setdefault(source, str(value)) != str(value):
            apart.add(leaf.key)
    return frozenset(apart)
