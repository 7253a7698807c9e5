"""O1: no response to one org carries a canary of another, on any surface and in any encoding."""

from __future__ import annotations

from typing import ClassVar

from interlock._native import scan_canaries
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.values import CUT, TOKEN
from interlock.testing.verdicts import excerpt
from interlock.testing.world import World, tokens_in


class ContentOracle(Oracle):
    """Scans headers, bodies, archives, streams and log records of every response."""

    code: ClassVar[str] = "O1"
    title: ClassVar[str] = "another org's content"

    def inspect(self, world: World, exchange: Exchange) -> None:
        """Look for canaries that the reader neither wrote nor sent."""
        world.coverage.count(self.code, exchange.endpoint)
        reader = next((org for org in world.orgs if org.index == exchange.org), None)
        sent = reader.sent_tokens if reader else tokens_in(exchange.request)
        for surface, text in exchange.response.surfaces():
            for hit in scan_canaries(text):
                if reader is not None and hit.org == reader.index:
                    self._own_seen(world, exchange, hit.serial)
                elif (hit.org, hit.serial) not in sent and world.mint.issued(hit.org):  # a cut form may be chance
                    planting = world.planting(hit.serial)
                    names = world.names()
                    leak(
                        world,
                        self,
                        exchange,
                        surface=f"{surface} ({hit.encoding})",
                        message=f"{names[exchange.org]} was shown what {names.get(hit.org, 'an earlier org')} wrote",
                        planted=f"{planting[1]} of {planting[0].endpoint}" if planting else "by an earlier org",
                        evidence=excerpt(text, hit.start, CUT if hit.serial is None else TOKEN),
                        also=[planting[0]] if planting else [],
                    )

    @staticmethod
    def _own_seen(world: World, exchange: Exchange, serial: int | None) -> None:
        planting = world.planting(serial)
        if planting is not None:
            world.coverage.own_canary_seen.setdefault(planting[0].endpoint, set()).add(exchange.endpoint)
