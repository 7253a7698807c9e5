"""O10: which layer holds. With row-level security off, what the application filters itself is what still holds."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from interlock.errors import IsolationLeak
from interlock.testing.exchange import Exchange
from interlock.testing.mutate import mutations
from interlock.testing.oracles.content import ContentOracle
from interlock.testing.oracles.row_ids import RowIdOracle
from interlock.testing.world import World

if TYPE_CHECKING:
    import asyncpg

    from interlock.testing.session import Session


class Layer(StrEnum):
    """What keeps one org's data from the other at an endpoint."""

    NONE = "none"
    DATABASE = "row-level security alone"
    BOTH = "application and row-level security"
    APPLICATION = "application alone, or nothing to filter"


class Collector:
    """Notes which endpoints show another org's data instead of stopping at the first."""

    def __init__(self) -> None:
        self.leaking: set[str] = set()
        self.showing: set[str] = set()
        self._oracles = (ContentOracle(), RowIdOracle())

    def __call__(self, world: World, exchange: Exchange) -> None:
        """Look at one exchange."""
        if exchange.response.ok:
            self.showing.add(exchange.endpoint)
        for oracle in self._oracles:
            try:
                oracle.inspect(world, exchange)
            except IsolationLeak:
                self.leaking.add(exchange.endpoint)


async def layers(session: Session, owner: asyncpg.Connection) -> dict[str, Layer]:
    """Play the example over every endpoint with row-level security, then without it; endpoint → layer.

    The owner's connection switches it off for every table and on again; nothing else may use the database meanwhile.
    """
    guarded = await _collect(session)
    switches = [one for one in await mutations(owner) if one.name.startswith("disable")]
    try:
        for switch in switches:
            await owner.execute(switch.apply)
        unguarded = await _collect(session)
    finally:
        for switch in switches:
            await owner.execute(switch.restore)
    touched = {source for sources in session.coverage.own_canary_seen.values() for source in sources}
    return {name: _layer(name, guarded, unguarded, touched) for name in sorted(guarded.showing | unguarded.showing)}


def _layer(name: str, guarded: Collector, unguarded: Collector, touched: set[str]) -> Layer:
    if name in guarded.leaking:
        return Layer.NONE
    if name in unguarded.leaking:
        return Layer.DATABASE
    return Layer.BOTH if name in touched else Layer.APPLICATION


async def _collect(session: Session) -> Collector:
    collector = Collector()
    story = await session.new_story(collector)
    await story.live()
    return collector
