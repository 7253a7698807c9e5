"""What each org has been told: the values in its own responses, from which ids and keys are taken."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from interlock.testing.exchange import Exchange
from interlock.testing.payloads import Leaf
from interlock.testing.routes import Endpoint
from interlock.testing.values import CANARY, fits

MAX_VALUES = 400
MAX_REMEMBERED = 4000
MAX_TEXT, MAX_LINKS = 100_000, 20
GIVEN, SECRET = "create_org", "headers_for"
SECRET_NAMES = ("token", "access_token", "api_key", "apikey", "auth", "auth_token", "jwt", "session", "session_id")
_STEM = re.compile(r"(?:_|-)?(?:u?ids?|uuids?|ulids?|pk|refs?|slug|handle|token|hash|no|number|code)$", re.IGNORECASE)
IDENTITY = frozenset({"id", "uid", "uuid", "ulid", "pk", "slug", "key", "ref", "handle", "reference", "code", "_id"})
_HREF = re.compile(r"""(?:href|src|action)=["']([^"'<>]+)["']""")
_LINK = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class Observation:
    """A value seen: where in which endpoint's response (or request), and in which exchange."""

    value: Any
    key: str
    path: str
    endpoint: str
    exchange: int

    @cached_property
    def origin(self) -> tuple[str, str, bool]:
        """What tells how likely it is what a slot wants: who gave it out (or was sent it), and under which name."""
        return self.endpoint, self.key.lower(), self.path.startswith("sent ")


class Knowledge:
    """The observations of one org, newest last. ``paths`` are the application's own, to recognise links by."""

    def __init__(self) -> None:
        self._seen: list[Observation] = []
        self._at: defaultdict[tuple[str, str], list[Observation]] = defaultdict(list)
        self.paths: Sequence[re.Pattern[str]] = ()

    def learn(self, exchange: Exchange, sent: dict[Leaf, Any]) -> None:
        """Take in a successful exchange: scalars of the response, and natural keys that were sent."""
        if not exchange.response.ok or exchange.endpoint.startswith("DELETE"):
            return
        for path, key, value in _scalars(exchange.response):
            self._add(Observation(value, key, path, exchange.endpoint, exchange.index))
            for name, part in self._linked(value):
                self._add(Observation(part, name, f"{path}#{name}", exchange.endpoint, exchange.index))
        for leaf, value in sent.items():
            if isinstance(value, str) and (not leaf.reference or CANARY in value):
                self._add(Observation(value, leaf.name, f"sent {leaf.path}", exchange.endpoint, exchange.index))
        if len(self._seen) > MAX_REMEMBERED:
            given = [seen for seen in self._seen if seen.endpoint in (GIVEN, SECRET)]
            kept = given + self._seen[-MAX_REMEMBERED // 2 :]
            self._seen.clear()
            self._at.clear()
            for seen in kept:
                self._add(seen)

    def _add(self, seen: Observation) -> None:
        self._seen.append(seen)
        self._at[seen.endpoint, seen.path].append(seen)

    def tell(self, facts: Mapping[str, Any], secrets: Iterable[str]) -> None:
        """What whoever made the org knows of it: its slug, its number, and what it authenticates with."""
        for name, value in facts.items():
            self._add(Observation(value, name, f"org.{name}", GIVEN, 0))
        for name in SECRET_NAMES:
            for value in secrets:
                self._add(Observation(value, name, f"secret.{name}", SECRET, 0))

    def _linked(self, value: Any) -> Iterator[tuple[str, str]]:
        """The parameters in a link to one of the application's own endpoints: those of its path and of its query."""
        if isinstance(value, str) and value.startswith(("/", "http://", "https://")):
            link = urlsplit(value)
            for pattern in self.paths:
                match = pattern.fullmatch(unquote(link.path))
                if match is not None:
                    yield from (*match.groupdict().items(), *parse_qsl(link.query)[:MAX_LINKS])

    def written(self, near: Endpoint) -> list[str]:
        """Texts the org has sent, one for each place: first those sent to paths most like that of ``near``."""
        found: dict[tuple[str, str], str] = {}
        for seen in reversed(self._seen):
            if seen.path.startswith("sent ") and isinstance(seen.value, str):
                found.setdefault((seen.endpoint, seen.path), seen.value)
        asked = near.path.split("/")

        def apart(place: tuple[str, str]) -> int:
            return -sum(map(str.__eq__, asked, place[0].partition(" ")[2].split("/")))

        return [found[place] for place in sorted(found, key=apart)]

    def links(self) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        """Path and query of every link seen, newest first."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], None] = {}
        for seen in reversed(self._seen):
            if isinstance(seen.value, str) and seen.value.startswith(("/", "http://", "https://")):
                parts = urlsplit(seen.value)
                found[unquote(parts.path), tuple(parse_qsl(parts.query))] = None
        return list(found)

    def knows(self, source: tuple[str, str], wanted: int = 1) -> bool:
        """Whether there are so many values from that endpoint and path."""
        return len({str(seen.value) for seen in self._at.get(source, ())}) >= wanted

    def ranked(self, leaf: Leaf, endpoint: Endpoint) -> list[Observation]:
        """Observations that could fill the leaf, the likeliest first, the newest first among equals."""
        likely = {origin: _likelihood(leaf, endpoint, origin) for origin in {seen.origin for seen in self._seen}}
        scored = [
            (likely[seen.origin], position, seen)
            for position, seen in enumerate(self._seen)
            if likely[seen.origin] > 0 and fits(leaf, seen.value)
        ]
        scored.sort(key=lambda entry: (-entry[0], _otherwise_written(leaf, entry[2].value), -entry[1]))
        return [seen for _, _, seen in scored]

    @staticmethod
    def likeness(leaf: Leaf, endpoint: Endpoint, seen: Observation, best: Observation) -> float:
        """How likely ``seen`` fills the leaf, where ``best`` is 1."""
        return _likelihood(leaf, endpoint, seen.origin) / max(_likelihood(leaf, endpoint, best.origin), 1)

    def latest(self, source: tuple[str, str], leaf: Leaf, besides: Sequence[str] = ()) -> Observation | None:
        """The newest value from that endpoint and path, ``besides`` some."""
        for seen in reversed(self._at.get(source, ())):
            if fits(leaf, seen.value) and str(seen.value) not in besides:
                return seen
        return None

    def literals(self, leaves: Iterable[Leaf]) -> dict[Leaf, Any]:
        """What was seen before under the same name, by leaf: a parent's slug, a colleague's address, a version."""
        newest: dict[str, Any] = {}
        for seen in self.values():
            newest.setdefault(seen.key.lower(), seen.value)
        # No amount: a larger one than all that are made up would hide how these move a total or a record.
        named = ((leaf, newest.get(leaf.name.lower())) for leaf in leaves if not leaf.reference and not leaf.decimal)
        return {leaf: value for leaf, value in named if value is not None and fits(leaf, value)}

    def identities(self) -> Iterator[tuple[str, str]]:
        """The places that give out an id of something, by what they call it."""
        return ((seen.endpoint, seen.path) for seen in self._seen if seen.key.lower() in IDENTITY)

    def first(self, value: Any) -> tuple[str, str] | None:
        """Where the value was first given out as the id of something."""
        identities = (seen for seen in self._seen if seen.key.lower() in IDENTITY and str(seen.value) == str(value))
        return next(((seen.endpoint, seen.path) for seen in identities), None)

    def values(self) -> Iterator[Observation]:
        """Everything remembered, newest first."""
        return reversed(self._seen)


def _otherwise_written(leaf: Leaf, value: Any) -> bool:
    """Whether it is text where a number is wanted, as in a link, or a number where text is."""
    if leaf.schema.get("type") == "string":
        return isinstance(value, int)
    return isinstance(value, str) and value.isdecimal()


def stem(name: str) -> str:
    """``person_id`` → ``person``; ``id`` → ````."""
    return _STEM.sub("", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).strip("_-").lower()


def singular(word: str) -> str:
    """``people`` stays as it is; ``boxes`` → ``box``, ``entries`` → ``entry``, ``notes`` → ``note``."""
    word = word.lower().replace("-", "_")
    for plural, one in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", "")):
        if word.endswith(plural) and len(word) > len(plural) + 1:
            return word[: -len(plural)] + one
    return word


def _likelihood(leaf: Leaf, endpoint: Endpoint, origin: tuple[str, str, bool]) -> int:
    return _score(leaf.place, leaf.name, leaf.schema.get("format") == "uuid", endpoint.path, *origin)


@lru_cache(maxsize=1 << 17)
def _score(place: str, name: str, uuid: bool, asked: str, source: str, key: str, sent: bool) -> int:
    """How likely a value that ``source`` gave out (or was sent) under ``key`` is what ``name`` wants."""
    method, _, path = source.partition(" ")
    wanted = name.lower().replace("-", "_")
    wanted = "etag" if wanted in ("if_match", "if_none_match") else wanted
    if source == SECRET:
        return 10 if key == wanted and place != "path" else 0
    score = 0
    if place == "path":
        collection = asked.split("{" + name)[0].rstrip("/")
        if path.rstrip("/") == collection and (key in IDENTITY or key == wanted):
            score += 12
        elif path.startswith(collection) and (key in IDENTITY or key == wanted):
            score += 3
        elif path.startswith(collection) and not sent:
            score += 1 + uuid  # whatever the field is called: this collection gave it out
    if key == wanted and wanted not in IDENTITY:
        score += 10
    elif wanted in key.split("_") and wanted not in IDENTITY and not sent:
        score += 5  # a next_cursor is a cursor
    about = stem(name)
    subject = singular(
        [segment for segment in path.split("/") if segment and "{" not in segment][-1:][0] if path.strip("/") else ""
    )
    if (
        about
        and key in IDENTITY
        and (about == subject or (about.endswith(subject) and subject) or subject.endswith(about))
    ):
        score += 8
    elif about and about == subject and not sent:
        score += 2  # a driver may be known by its number
    if about and stem(key) == about:
        score += 4
    if source == GIVEN and key == wanted:
        score += 6
    elif source == GIVEN and key in IDENTITY and about and not score:
        score += 5 if place == "path" else 0
    if key in IDENTITY:
        score += 1  # the id of something, at least
        score += 2 if subject and subject in map(singular, asked.split("/")) else 0  # of what the endpoint is about
    if score and method == "POST":
        score += 1  # what the org has just made is certainly its own
    return score


def _scalars(response: Any) -> Iterator[tuple[str, str, Any]]:
    count = 0
    for document in _documents(response):
        waiting: list[tuple[str, str, Any]] = [("$", "", document)]
        while waiting and count < MAX_VALUES:
            path, key, value = waiting.pop()
            if isinstance(value, dict):
                waiting.extend((f"{path}.{name}", str(name), below) for name, below in reversed(value.items()))
            elif isinstance(value, list):
                waiting.extend((f"{path}[]", key, below) for below in reversed(value[:20]))
            elif isinstance(value, str | int) and not isinstance(value, bool):
                count += 1
                yield path, key or "id", value
    location = response.header("location")
    if location:
        yield "location", "id", location.rstrip("/").rpartition("/")[2]
        yield "location link", "location", location
    for link in _LINK.findall(response.header("link") or ""):
        yield "link", "link", link
    etag = response.header("etag")
    if etag:
        yield "etag", "etag", etag


def _documents(response: Any) -> Iterator[Any]:
    if response.json is not None:
        yield response.json
        return
    kind = response.header("content-type") or ""
    if "event-stream" in kind or "json" in kind:
        for line in response.content.decode(errors="replace").splitlines()[:50]:
            try:
                yield json.loads(line.removeprefix("data:").strip())
            except ValueError:
                continue
    else:
        text = response.content[:MAX_TEXT].decode(errors="replace")
        yield {"href": _HREF.findall(text)[:MAX_LINKS]}
        yield from islice(csv.DictReader(text.splitlines()), MAX_LINKS) if "csv" in kind else ()
