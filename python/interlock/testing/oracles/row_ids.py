"""O2: no response to one org carries the id of another org's row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.verdicts import excerpt
from interlock.testing.world import UUID_TEXT, Org, World, identifiers

MIN_NAME = 6
_UNREADABLE = re.compile(UUID_TEXT.pattern + rb"|[0-9]+")
_NUMBER = re.compile(rb"(?<![\w.-])[0-9]{8,18}(?![\w.-])")


class RowIdOracle(Oracle):
    """Compares the identifiers in a response with those of the other orgs' rows."""

    code: ClassVar[str] = "O2"
    title: ClassVar[str] = "another org's row id"

    def inspect(self, world: World, exchange: Exchange) -> None:
        """Look for identifiers of other orgs that the reader did not send and nobody was shown before they wrote."""
        world.coverage.count(self.code, exchange.endpoint)
        reader = next((org for org in world.orgs if org.index == exchange.org), None)
        foreign = {
            literal: org
            for org in world.orgs
            if org is not reader
            for literal in world.literals[org.index]
            if literal not in world.public
        }
        known = identifiers(exchange.request.sent_bytes)
        if reader is not None:
            known |= reader.sent_literals | world.literals[reader.index]
        surfaces = list(exchange.response.surfaces())
        self._names(world, exchange, reader, surfaces)
        for surface, text in surfaces:
            for pattern in (UUID_TEXT, _NUMBER):
                for match in pattern.finditer(text):
                    literal = match.group().lower()
                    if literal in foreign and literal not in known:
                        leak(
                            world,
                            self,
                            exchange,
                            surface=surface,
                            message=f"{world.names()[exchange.org]} was shown an id of {foreign[literal].name}'s",
                            evidence=excerpt(text, match.start(), len(literal)),
                            literal=literal,
                        )

    def _names(
        self, world: World, exchange: Exchange, reader: Org | None, surfaces: Iterable[tuple[str, bytes]]
    ) -> None:
        """Look for what another org is called by, such as its slug, where the reader did not call it so."""
        own = reader.names if reader is not None else ()
        for org in world.everybody():
            for name in org.names if org is not reader else ():
                found_above = _UNREADABLE.fullmatch(name.encode()) and (org in world.orgs or name.isdecimal())
                telling = len(name) >= MIN_NAME and not name.isalpha() and not found_above
                if not telling or any(name in one for one in own) or exchange.request.contains(name.encode()):
                    continue
                for surface, text in surfaces:
                    at = text.find(name.encode())
                    if at >= 0 and (reader is None or name.encode() not in reader.sent_names):
                        leak(
                            world,
                            self,
                            exchange,
                            surface=surface,
                            message=f"{world.names()[exchange.org]} was shown what {org.name} is called",
                            evidence=excerpt(text, at, len(name)),
                        )
