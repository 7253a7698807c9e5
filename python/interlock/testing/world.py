"""The state of one example: two orgs, what each knows and has sent, and every exchange so far."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from interlock._native import scan_canaries
from interlock.testing.client import Call
from interlock.testing.exchange import Exchange, Request, Response
from interlock.testing.knowledge import Knowledge, Observation
from interlock.testing.payloads import Leaf, Template
from interlock.testing.routes import Endpoint
from interlock.testing.values import OMITTED, FileText, Mint, carry, is_file, random_reference, render
from interlock.testing.verdicts import Coverage

MAX_SUPPLY = 4
UUID_TEXT = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class OutOfTime(Exception):  # noqa: N818 - no error: the example is left where it is
    """The run's time is up."""


@dataclass(eq=False)
class Org:
    """One tenant of the example: the user's own object, its headers, and what is known of and by it.

    ``secrets`` are what it authenticates with, ``names`` what it may be called by: its id, its slug, its number;
    ``keys`` what the database calls it.
    """

    index: int
    name: str
    raw: Any
    id: str | None
    headers: tuple[tuple[str, str], ...]
    knowledge: Knowledge = field(default_factory=Knowledge)
    secrets: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    sent_tokens: set[tuple[int, int | None]] = field(default_factory=set)
    sent_literals: set[bytes] = field(default_factory=set)
    sent_names: set[bytes] = field(default_factory=set)


class Transport(Protocol):
    """Sends requests: the ASGI client, the HTTP client, or the methods of a user's own harness."""

    async def send(self, request: Request) -> Response:
        """Send and wait."""
        ...

    def start(self, request: Request) -> Call:
        """Send and return at once."""
        ...


@dataclass
class Learned:
    """What calibration found out about one endpoint: which template it accepts and where its references come from.

    ``operations`` are templates for what else it does, where the body says what, as for a single endpoint of many
    methods; the slots in ``apart`` take another row than those before them;
    ``optional`` are references it accepts but also does without, such as the parent of the first folder.
    ``prelude`` are the endpoints to call first with a new row; a ``public`` endpoint refuses whoever has credentials
    (a sign-up, a log-in); one that ``streams`` does not end by itself; one that ``ends_session`` is called once only.
    """

    template: Template
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    prelude: tuple[str, ...] = ()
    apart: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    works: bool = False
    public: bool = False
    streams: bool = False
    ends_session: bool = False
    operations: list[Template] = field(default_factory=list)


class World:
    """Sends requests for orgs, keeps the record, and lets the passive oracles see every response."""

    def __init__(
        self,
        transport: Transport,
        mint: Mint,
        coverage: Coverage,
        endpoints: Sequence[Endpoint],
        learned: dict[str, Learned],
        inspect: Callable[[World, Exchange], None],
        seed: int,
    ) -> None:
        self.transport = transport
        self.mint = mint
        self.coverage = coverage
        self.endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self.learned = learned
        self.random = random.Random(seed)
        self.orgs: list[Org] = []
        self.exchanges: list[Exchange] = []
        self.planted: dict[int, tuple[int, str]] = {}
        self.literals: dict[int, set[bytes]] = {}
        self.public: set[bytes] = set()
        self.earlier: World | None = None
        self.inspect = inspect
        self.deadline: float | None = None
        self.succeeded: Counter[tuple[int, str]] = Counter()
        self.is_shared: Callable[[str], bool] = lambda endpoint: False

    # --- orgs

    def add(self, org: Org) -> Org:
        """Take in a new org; its id is a literal that no other org may see."""
        shared = {name for other in self.orgs for name in other.names}
        org.names = tuple(name for name in org.names if name not in shared)
        org.keys = org.names
        self.orgs.append(org)
        self.literals[org.index] = {org.id.lower().encode()} if org.id and len(org.id) >= 8 else set()
        return org

    def names(self) -> dict[int | None, str]:
        """Index → the name used in transcripts."""
        known: dict[int | None, str] = self.earlier.names() if self.earlier is not None else {None: "anonymous"}
        return known | {org.index: org.name for org in self.orgs}

    def planting(self, serial: int | None) -> tuple[Exchange, str] | None:
        """The exchange that planted a canary, in this example or at calibration, and the leaf it was planted in."""
        if serial in self.planted:
            index, leaf = self.planted[serial]
            return (self.exchanges[index], leaf) if index < len(self.exchanges) else None
        return self.earlier.planting(serial) if self.earlier is not None else None

    def everybody(self) -> list[Org]:
        """The orgs of the example, and those of the calibration before it."""
        return [*self.orgs, *(self.earlier.everybody() if self.earlier is not None else ())]

    def other(self, org: Org) -> Org:
        """The other org of the example."""
        return next(one for one in self.orgs if one is not org)

    # --- requests

    def prepare(
        self, org: Org, endpoint: Endpoint, template: Template | None = None, given: Mapping[Leaf, Any] | None = None
    ) -> tuple[Request, dict[Leaf, Any], tuple[int, ...]]:
        """Fill a template for an org; ``given`` overrides single leaves. Returns the request, values, and origins."""
        learned = self.learned.get(endpoint.name)
        chosen = template or (learned.template if learned else Template())
        values: dict[Leaf, Any] = {}
        origins: list[int] = []

        def value_of(leaf: Leaf) -> Any:
            if given is not None and leaf in given:
                value = given[leaf]
            elif leaf.reference:
                seen = self.own(org, endpoint, leaf, besides=values)
                if seen is None and learned is not None and leaf.key in learned.optional:
                    return OMITTED
                if seen is not None:
                    origins.append(seen.exchange)
                value = seen.value if seen is not None else self._unknown(org, endpoint, leaf)
            else:
                value = self.canary(org, endpoint, leaf)
            values[leaf] = value
            return value

        return render(endpoint, chosen, value_of), values, tuple(origins)

    def own(
        self, org: Org, endpoint: Endpoint, leaf: Leaf, besides: Mapping[Leaf, Any] | None = None
    ) -> Observation | None:
        """A value of the org's own that the leaf can refer to: another row than ``besides`` has where it takes one."""
        learned = self.learned.get(endpoint.name)
        if learned is not None and leaf.key in learned.sources:
            taken = [str(one) for one in (besides or {}).values()] if leaf.key in learned.apart else []
            found = org.knowledge.latest(learned.sources[leaf.key], leaf, taken)
            if found is not None or leaf.key in learned.optional:
                return found
        elif learned is not None and learned.works and (leaf.place == "body" or endpoint.method == "PUT"):
            return None  # it succeeded with a name of its own making, such as the slug of something new
        return next(iter(org.knowledge.ranked(leaf, endpoint)), None)

    def canary(self, org: Org, endpoint: Endpoint, leaf: Leaf) -> Any:
        """A new canary for the leaf; a new number where it takes one."""
        if leaf.numeric:
            made = self.mint.number(leaf.name, leaf.schema, extreme=org is self.orgs[0])
            return int(made) if leaf.schema["type"] == "integer" else made
        if leaf.decimal:
            return f"{self.mint.number(leaf.name, {}, extreme=org is self.orgs[0]):.2f}"
        token, serial = self.mint.token(org.index, endpoint.index, leaf.index)
        self.planted[serial] = (len(self.exchanges), leaf.key)
        text = carry(token, leaf)
        return FileText(text) if is_file(leaf) else text

    def _unknown(self, org: Org, endpoint: Endpoint, leaf: Leaf) -> Any:
        if leaf.schema.get("type") == "integer" or leaf.schema.get("format") == "uuid":
            return random_reference(leaf, self.random)
        return self.canary(org, endpoint, leaf)

    async def call(
        self,
        org: Org | None,
        endpoint: Endpoint,
        *,
        template: Template | None = None,
        given: Mapping[Leaf, Any] | None = None,
        headers: Iterable[tuple[str, str]] = (),
        query: Iterable[tuple[str, str]] = (),
        purpose: str = "",
        own: bool = True,
    ) -> Exchange:
        """Fill, send, record and inspect. ``own`` is false where the org has no right to what it asks for."""
        sender = org or self.orgs[0]
        if org is not None:
            await self.supply(org, endpoint)
        request, values, origins = self.prepare(sender, endpoint, template, given)
        request = replace(request, query=(*request.query, *query), headers=(*request.headers, *headers))
        return await self.send(org, endpoint, request, values, origins, purpose=purpose, own=own)

    async def supply(self, org: Org, endpoint: Endpoint, depth: int = 0) -> None:
        """Make the org see what the endpoint's references are taken from, where it has not yet."""
        learned = self.learned.get(endpoint.name)
        if learned is None or depth > MAX_SUPPLY:
            return
        for key, source in learned.sources.items():
            maker = self.endpoints.get(source[0])
            enough = org.knowledge.knows(source, 1 + (key in learned.apart))
            if maker is None or maker is endpoint or enough:
                continue
            await self.supply(org, maker, depth + 1)
            request, values, origins = self.prepare(org, maker)
            await self.send(org, maker, request, values, origins, purpose=f"{org.name} prepares")

    async def send(
        self,
        org: Org | None,
        endpoint: Endpoint,
        request: Request,
        values: dict[Leaf, Any] | None = None,
        origins: tuple[int, ...] = (),
        *,
        purpose: str = "",
        own: bool = True,
    ) -> Exchange:
        """Send a filled request as an org (or as nobody)."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime
        full = self.authorize(org, endpoint, request)
        response = await self.transport.send(full)
        return self.record(org, endpoint, full, response, values, origins, purpose=purpose, own=own)

    def authorize(self, org: Org | None, endpoint: Endpoint, request: Request) -> Request:
        """The request with the org's headers; headers the request sets itself stay behind them."""
        learned = self.learned.get(endpoint.name)
        identified = org is not None and not (learned and learned.public)
        credentials = org.headers if org and identified else ()
        named = {name for name, _ in credentials} - {"cookie"}
        headers = _one_cookie((*credentials, *(pair for pair in request.headers if pair[0] not in named)))
        if endpoint.host is not None:
            headers = (*headers, ("host", endpoint.host))
        full = replace(request, headers=headers)
        if org is not None:
            self._remember_sent(org, full)
        return full

    def record(
        self,
        org: Org | None,
        endpoint: Endpoint,
        request: Request,
        response: Response,
        values: dict[Leaf, Any] | None = None,
        origins: tuple[int, ...] = (),
        *,
        purpose: str = "",
        own: bool = True,
    ) -> Exchange:
        """Keep an exchange, learn from it, and show it to the passive oracles."""
        exchange = Exchange(
            len(self.exchanges),
            org.index if org else None,
            endpoint.name,
            request,
            response,
            purpose,
            values or {},
            origins,
        )
        self.exchanges.append(exchange)
        self.coverage.record(exchange, own=own and org is not None)
        if org is not None and response.ok:
            self.succeeded[org.index, endpoint.name] += 1
        if org is not None and own:
            org.knowledge.learn(exchange, values or {})
            if response.ok and not endpoint.is_read:
                self.literals[org.index].update(identifiers(response.content))
        self.inspect(self, exchange)
        return exchange

    def _remember_sent(self, org: Org, request: Request) -> None:
        org.sent_names |= {
            name.encode() for other in self.orgs for name in other.names if request.contains(name.encode())
        }
        org.sent_tokens |= tokens_in(request)
        org.sent_literals |= identifiers(request.sent_bytes)


def _one_cookie(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The headers with all cookies in one (RFC 6265 §5.4), those of the org first."""
    cookies = "; ".join(value for key, value in headers if key == "cookie")
    others = tuple(pair for pair in headers if pair[0] != "cookie")
    return (*others, ("cookie", cookies)) if cookies else others


def tokens_in(request: Request) -> set[tuple[int, int | None]]:
    """Org and serial of every canary the sender wrote; with serial None for its cut forms."""
    hits = scan_canaries(request.sent_bytes)
    return {(hit.org, hit.serial) for hit in hits} | {(hit.org, None) for hit in hits}


def identifiers(text: bytes) -> set[bytes]:
    """The UUIDs in a text: identifiers that cannot be equal by chance, as the numbers in responses can."""
    return {match.lower() for match in UUID_TEXT.findall(text)}
