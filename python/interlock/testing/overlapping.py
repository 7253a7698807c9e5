"""Writes of both orgs close to each other: what a service remembers of the last one, whoever it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from interlock.testing.routes import Endpoint

if TYPE_CHECKING:
    from interlock.testing.story import Story


async def act_on_what_is_there(story: Story) -> None:
    """A writes; then B acts where it brings nothing of its own: whatever text comes back was there before."""
    acts = [one for one in story.seed_order if not _brings_text(story, one)]
    if acts:
        await story.seed(story.a)
    for endpoint in acts:
        await story.world.call(story.b, endpoint, purpose="B acts on what is there")


async def write_together(story: Story) -> None:
    """Both make the same at once, and each looks at what was made: a job may run as whoever came last."""
    for endpoint in story.seed_order:
        readers = [one for one in story.readable() if _reads_from(story, one, endpoint)]
        if not readers:
            continue
        await asyncio.gather(
            *(
                story.world.call(org, endpoint, purpose=f"{org.name} writes while the other does")
                for org in (story.b, story.a)
            )
        )
        for reader in readers:
            for org in (story.b, story.a):
                await story.world.call(org, reader, purpose=f"{org.name} looks at what it made")


def _brings_text(story: Story, endpoint: Endpoint) -> bool:
    return any(leaf.told_apart for leaf in story.world.learned[endpoint.name].template.leaves())


def _reads_from(story: Story, reader: Endpoint, maker: Endpoint) -> bool:
    return any(source == maker.name for source, _ in story.world.learned[reader.name].sources.values())
