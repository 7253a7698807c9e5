"""The service's memory: every row has its firm, every lookup takes one."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

Row = dict[str, Any]
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid() -> str:
    """A ULID: a time and 80 random bits in Crockford's base 32."""
    return "01JD" + "".join(secrets.choice(_CROCKFORD) for _ in range(22))


@dataclass(eq=False)
class Firm:
    """A tenant, as the sales team's tool hands it out."""

    slug: str
    token: str


@dataclass
class Store:
    """Tables of rows, and what is open."""

    plant: str | None
    tables: dict[str, list[Row]] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    cache: dict[Any, Any] = field(default_factory=dict)
    listeners: dict[asyncio.Queue[Row], tuple[str, str]] = field(default_factory=dict)
    counters: dict[Any, Iterator[int]] = field(default_factory=dict)
    last_firm: str = ""

    def has(self, plant: str) -> bool:
        """Whether this leak is planted."""
        return self.plant == plant

    def sign_up(self) -> Firm:
        """A new firm with a session."""
        slug = f"{random.choice(('north', 'south', 'east'))}-{secrets.token_hex(3)}"
        claims = base64.urlsafe_b64encode(json.dumps({"firm": slug}).encode()).decode().rstrip("=")
        token = f"{claims}.{secrets.token_urlsafe(12)}"
        self.sessions[token] = slug
        return Firm(slug, token)

    def count(self, name: Any) -> int:
        """The next number of a counter."""
        return next(self.counters.setdefault(name, itertools.count(1)))

    def add(self, table: str, firm: str, **row: Any) -> Row:
        """A new row of a firm."""
        made = {"firm": firm, **row}
        self.tables.setdefault(table, []).append(made)
        return made

    def rows(self, table: str, firm: str | None, matches: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """The rows of a firm; of every firm if it is None."""
        return [r for r in self.tables.get(table, []) if (firm is None or r["firm"] == firm) and matches(r)]

    def find(self, table: str, firm: str | None, **keys: Any) -> Row | None:
        """The first row with these values."""
        found = self.rows(table, firm, lambda row: all(row.get(key) == value for key, value in keys.items()))
        return found[0] if found else None

    def get(self, table: str, firm: str | None, **keys: Any) -> Row:
        """The row with these values, or 404."""
        row = self.find(table, firm, **keys)
        if row is None:
            raise HTTPException(404, {"code": "missing", "kind": table})
        return row

    def publish(self, firm: str, event: Row) -> None:
        """Tell whoever listens, and the firm's hooks."""
        self.add("events", firm, **event)
        everybody = {"feed": "feed-to-all", "socket": "socket-to-all", "poll": "poll-of-any"}
        for queue, (owner, kind) in self.listeners.items():
            if owner == firm or self.has(everybody[kind]):
                queue.put_nowait(event)
        for hook in self.rows("hooks", None if self.has("delivery-to-all") else firm):
            hook["deliveries"].append(event)


def shown(row: Row) -> Row:
    """What a client may see of a row."""
    return {key: value for key, value in row.items() if key not in ("firm", "removed")}


async def store_of(connection: HTTPConnection) -> Store:
    return connection.app.state.store  # type: ignore[no-any-return]


async def caller(connection: HTTPConnection) -> str:
    """The firm of the credentials: a token in the header, or in the query of a socket."""
    store = await store_of(connection)
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    firm = store.sessions.get(token if scheme == "Token" else connection.query_params.get("token", ""))
    if firm is None:
        raise HTTPException(401, {"code": "unauthenticated"})
    if store.has("act-as-header"):
        return connection.headers.get("x-act-as", firm)
    return firm


async def member(connection: HTTPConnection, firm: str, own: Annotated[str, Depends(caller)]) -> str:
    """The firm in the path, which must be the caller's."""
    if firm != own and not (await store_of(connection)).has("path-firm-trusted"):
        raise HTTPException(404, {"code": "missing", "kind": "firm"})
    return firm


TheStore = Annotated[Store, Depends(store_of)]
Own = Annotated[str, Depends(member)]
Caller = Annotated[str, Depends(caller)]
