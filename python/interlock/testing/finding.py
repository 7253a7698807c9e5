"""Turns what an oracle saw into a leak with the shortest transcript that explains it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from interlock.errors import IsolationLeak
from interlock.testing.exchange import Exchange
from interlock.testing.verdicts import Leak, transcript

if TYPE_CHECKING:
    from interlock.testing.oracles.base import Oracle
    from interlock.testing.world import World


def leak(
    world: World,
    oracle: Oracle,
    exchange: Exchange,
    *,
    surface: str,
    message: str,
    planted: str = "",
    planting: int | None = None,
    evidence: str = "",
    literal: bytes | None = None,
    also: Iterable[Exchange] = (),
) -> NoReturn:
    """Raise the finding. ``planting`` is the exchange that planted it, ``also`` what it was compared with."""
    relevant = {exchange.index: exchange} | {one.index: one for one in also}
    if planting is not None and planting < len(world.exchanges):
        relevant[planting] = world.exchanges[planting]
    if literal is not None:
        source = next((one for one in world.exchanges if literal in one.response.content.lower()), None)
        if source is not None:
            relevant[source.index] = source
    _add_origins(world, relevant)
    origin = f"{planted} of {world.exchanges[planting].endpoint}" if planting is not None and planted else planted
    found = Leak(
        oracle=oracle.code,
        title=oracle.title,
        endpoint=exchange.endpoint,
        surface=surface,
        message=message,
        planted=origin,
        evidence=evidence,
        transcript=transcript(list(relevant.values()), world.names()),
    )
    raise IsolationLeak(str(found), leak=found)


def _add_origins(world: World, relevant: dict[int, Exchange]) -> None:
    """Add the exchanges that the ids in the relevant requests were taken from, and those behind them."""
    waiting = list(relevant.values())
    while waiting:
        for origin in waiting.pop().uses:
            if origin not in relevant:
                relevant[origin] = world.exchanges[origin]
                waiting.append(world.exchanges[origin])
