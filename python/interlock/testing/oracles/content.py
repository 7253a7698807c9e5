"""O1: no response to one org carries a canary of another, on any surface and in any encoding."""

from __future__ import annotations

from typing import ClassVar

from interlock._native import scan_canaries
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.values import CUT
from interlock.testing.verdicts import excerpt
from interlock.testing.world import World


class ContentOracle(Oracle):
    """Scans headers, bodies, archives, streams and log records of every response."""

    code: ClassVar[str] = "O1"
    title: ClassVar[str] = "another org's content"

    def inspect(self, world: World, exchange: Exchange) -> None:
        """Look for canaries that the reader neither wrote nor sent."""
        world.coverage.count(self.code, exchange.endpoint)
        reader = next((org for org in world.orgs if org.index == exchange.org), None)
        sent = reader.sent_tokens if reader else set()
        for surface, text in exchange.response.surfaces():
            for hit in scan_canaries(text):
                if reader is not None and hit.org == reader.index:
                    self._own_seen(world, exchange, hit.serial)
                elif (hit.org, hit.serial) not in sent:
                    planting, where = world.planted.get(hit.serial, (None, None)) if hit.serial else (None, None)
                    names = world.names()
                    leak(
                        world,
                        self,
                        exchange,
                        surface=f"{surface} ({hit.encoding})",
                        message=f"{names[exchange.org]} was shown what {names.get(hit.org, 'an earlier org')} wrote",
                        planted=where or "cut or written earlier",
                        planting=planting,
                        evidence=excerpt(text, hit.start, CUT if hit.serial is None else 18),
                    )

    @staticmethod
    def _own_seen(world: World, exchange: Exchange, serial: int | None) -> None:
        if serial in world.planted:
            planting = world.planted[serial][0]
            if planting < len(world.exchanges):
                source = world.exchanges[planting].endpoint
                world.coverage.own_canary_seen.setdefault(source, set()).add(exchange.endpoint)
