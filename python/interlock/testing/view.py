"""What an org sees of its own data: where the database cannot be asked, the application is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interlock.testing.compare import facts
from interlock.testing.knowledge import singular
from interlock.testing.routes import Endpoint
from interlock.testing.truth import Snapshot

if TYPE_CHECKING:
    from interlock.testing.story import Story
    from interlock.testing.world import Org

MAX_READS = 8
_PREFIX = re.compile(r"api|v\d+")


async def view(story: Story, org: Org, endpoint: Endpoint) -> Snapshot:
    """The facts that the org is shown by the reads next to ``endpoint``, as a snapshot: place → value."""
    found = Snapshot()
    for near in _near(story, endpoint):
        # Nothing is learned from it: the next look must be at the same rows.
        exchange = await story.world.call(org, near, purpose=f"{org.name} looks at its own", own=False)
        for key, value in facts(exchange.response, plain=False).items():
            place = f"{near.name} {key}"
            # A header tells of servers, clocks and allowances; what is the org's own is in the body.
            if not key.startswith("header ") and place not in story.clocks:
                found.rows[place, org.index] = repr(value)
    return found


def _near(story: Story, endpoint: Endpoint) -> list[Endpoint]:
    """The reads about the same things: those whose path shares most with the endpoint's, items before lists."""
    everywhere = set.intersection(*({*_subjects(one)} for one in story.endpoints)) if story.endpoints else set()
    about = (_subjects(endpoint) - everywhere) or _subjects(endpoint)
    learned = story.world.learned[endpoint.name]
    for source, _ in learned.sources.values():
        about |= _subjects_of(source.partition(" ")[2]) - everywhere

    def closeness(one: Endpoint) -> tuple[int, int]:
        return (-len(_subjects(one) & about), -len(one.path_parameters))

    own = [one for one in story.readable() if one.name not in story.shared and story.world.learned[one.name].works]
    close = [one for one in own if _subjects(one) & about]
    return sorted(close, key=closeness)[:MAX_READS]


def _subjects(endpoint: Endpoint) -> set[str]:
    return _subjects_of(endpoint.path)


def _subjects_of(path: str) -> set[str]:
    segments = [one for one in path.split("/") if one and "{" not in one]
    return {singular(one) for one in segments if not _PREFIX.fullmatch(one)}
