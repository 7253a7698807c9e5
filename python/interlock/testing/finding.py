"""Turns what an oracle saw into a leak with the shortest transcript that explains it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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
    evidence: str = "",
    literal: bytes | None = None,
    also: Iterable[Exchange] = (),
) -> None:
    """Raise the finding, unless the endpoint shows everybody the same by design.

    ``also`` are the exchanges that planted it or that it was compared with.
    """
    if world.is_shared(exchange.endpoint):
        return  # and the example goes on: the endpoints behind it are not declared
    relevant = [exchange, *also]
    if literal is not None:
        source = next((one for one in world.exchanges if literal in one.response.content.lower()), None)
        if source is not None:
            relevant.append(source)
    found = Leak(
        oracle=oracle.code,
        title=oracle.title,
        endpoint=exchange.endpoint,
        surface=surface,
        message=message,
        planted=planted,
        evidence=evidence,
        transcript=transcript(_with_origins(world, relevant), world.names()),
    )
    raise IsolationLeak(str(found), leak=found)


def _with_origins(world: World, relevant: Iterable[Exchange]) -> list[Exchange]:
    """The exchanges, those that the ids in their requests were taken from, and those behind them; oldest first."""
    found: dict[int, Exchange] = {}
    waiting = list(relevant)
    while waiting:
        exchange = waiting.pop()
        if id(exchange) in found:
            continue
        found[id(exchange)] = exchange
        record = world if exchange in world.exchanges[exchange.index : exchange.index + 1] else world.earlier
        if record is not None:
            waiting += [record.exchanges[origin] for origin in exchange.uses]
    here = {id(one) for one in world.exchanges}
    return sorted(found.values(), key=lambda one: (id(one) in here, one.index))
