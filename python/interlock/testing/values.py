"""Values for leaves: canaries that satisfy a string's constraints, random references, encoded requests."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from interlock._native import encode_canary
from interlock.testing.exchange import Request
from interlock.testing.matching import matching
from interlock.testing.models import Schema
from interlock.testing.moments import moment
from interlock.testing.payloads import Leaf, Template, number, room
from interlock.testing.routes import Endpoint

ORG_LIMIT = SERIAL_LIMIT = 1 << 20
TOKEN = 18  # length of a token
CUT = 8  # length of a cut token that still names its org
CANARY = "qz7k"  # what every token begins with
OMITTED = object()  # what a leaf is filled with that is to be left out
_UNUSED = "90909090"
_LARGEST = 2_100_000_000  # near the end of a column of 32 bits
_ALPHABETS: dict[Callable[[str], bool], list[str]] = {
    str.isdecimal: list("0123456789"),
    str.isupper: list("ABCDEF"),
    str.islower: list("abcdef"),
}
_BOUNDARY = "interlock-part"
TABLES = {"csv": "text/csv", "json": "application/json", "x-ndjson": "application/x-ndjson"}
_PLACEHOLDER = re.compile(r"{([^}:]+)(?::[^}]*)?}")
_FORMATS: dict[str, Callable[[str], str]] = {
    "email": lambda token: f"{token}@example.com",
    "idn-email": lambda token: f"{token}@example.com",
    "uri": lambda token: f"https://example.com/{token}",
    "url": lambda token: f"https://example.com/{token}",
    "hostname": lambda token: f"{token}.example.com",
    "byte": lambda token: base64.b64encode(token.encode()).decode(),
    "base64url": lambda token: base64.urlsafe_b64encode(token.encode()).decode(),
    "json-string": json.dumps,
    "time": lambda token: "07:08:09Z",
    "duration": lambda token: "PT1H",
    "phone": lambda token: f"+4930{int.from_bytes(token[-10:].encode(), 'big') % 10**9:09}",
    "currency": lambda token: "EUR",
    "country": lambda token: "DE",
    "language": lambda token: "en",
    "time-zone": lambda token: "UTC",
    "color": lambda token: "#336699",
    "password": lambda token: f"{token}A1!",
    "ipv4": lambda token: "192.0.2.7",
    "ipv6": lambda token: "2001:db8::7",
    "ipvanyaddress": lambda token: "192.0.2.7",
}


class Mint:
    """Hands out canaries, never twice: a value cached by an earlier example is still attributed to its writer."""

    def __init__(self) -> None:
        self._org = 0
        self._serial = 0
        self._numbers: dict[tuple[bool, str, int | float, int], int] = {}

    def next_org(self) -> int:
        """The index of a new org."""
        self._org = (self._org + 1) % ORG_LIMIT
        return self._org

    def token(self, org: int, endpoint: int, leaf_index: int) -> tuple[str, int]:
        """A new token and its serial."""
        self._serial = (self._serial + 1) % SERIAL_LIMIT
        return encode_canary(org, min(endpoint, 1023), leaf_index, self._serial), self._serial

    def issued(self, org: int) -> bool:
        """Whether an org of this run has this index."""
        return 0 < org <= self._org

    def number(self, name: str, schema: Schema, *, extreme: bool) -> int | float:
        """The next number of a name: no two alike as long as there is room, so that sums and averages move.

        ``extreme`` numbers are by turns larger and smaller than all before them, so that records move, too; others
        lie between these. Whatever takes a price takes the next, because all of them are in one record.
        """
        lowest, free = number({**schema, "default": None}), room(schema)
        third = free // 3
        series = extreme, name, lowest, free
        count = self._numbers[series] = self._numbers.get(series, -1) + 1
        if not extreme:
            return lowest + min(free, third + 1 + count % max(third, 1))
        turn, low = divmod(count, 2)
        step = turn % max(third, 1)
        return lowest + (third - step if low else free - third + step)


def carry(token: str, leaf: Leaf) -> str:
    """A string that satisfies the leaf's schema and carries the token, or as much of it as fits."""
    schema = leaf.schema
    kind = str(schema.get("format", ""))
    if kind in ("date", "date-time"):
        return moment(leaf.place, leaf.name, leaf.index, kind)
    if kind in _FORMATS:
        return _FORMATS[kind](token)
    if leaf.name.lower().endswith("email"):
        return f"{token}@example.com"
    if "url" in leaf.name.lower() and "maxLength" not in schema:
        return f"https://example.com/{token}"
    text = token + leaf.suffix
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if high is not None and high < len(token):
        # What is left of a cut token names the org; the end of the serial keeps it unique.
        text = token[:CUT] + token[12:16][-(high - CUT) :] if high > CUT else token[12:16][-high:]
    text = text.ljust(low, "x")
    pattern = schema.get("pattern")
    return text if pattern is None or re.search(pattern, text) else matching(pattern, text, low, high)


def random_reference(leaf: Leaf, source: random.Random, like: Any = None) -> Any:
    """A reference of the same type that refers to nothing; ``like`` is a value that does refer to something."""
    if leaf.schema.get("type") in ("integer", "number") or isinstance(like, int):
        top = int(min(leaf.schema.get("maximum", _LARGEST), _LARGEST))
        return source.randrange(top - top // 20, top)
    if like is None or _is_uuid(str(like)) or leaf.schema.get("format") == "uuid":
        return str(uuid.UUID(int=source.getrandbits(128), version=4))
    return _similar(str(like), source)


def _similar(text: str, source: random.Random) -> str:
    """Text of the same form: the head stays, and behind it every character is another of the same text and kind.

    So an id keeps its alphabet (hexadecimal, Crockford's base 32), its prefix, and its length.
    """
    if text.isdecimal() and len(text) < len(_UNUSED):
        return _UNUSED + str(source.randrange(1000, 10_000))
    head = min(len(text) // 4, 6) if CANARY not in text else 0
    made = list(text)
    for kind in (str.isdecimal, str.isupper, str.islower):
        places = [at for at, character in enumerate(text) if at >= head and character.isascii() and kind(character)]
        alphabet = sorted({text[at] for at in places})
        if len(alphabet) < 4 and places:  # too few to make something else of them
            alphabet = _ALPHABETS[kind]
        for at in places:
            made[at] = source.choice(alphabet)
    return "".join(made)


def _is_uuid(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text))


def fits(leaf: Leaf, value: Any) -> bool:
    """Whether an observed value has the type that a reference needs."""
    schema: Schema = leaf.schema
    if schema.get("type") == "integer":
        return isinstance(value, int) or (isinstance(value, str) and value.isdecimal() and len(value) < 19)
    if schema.get("format") == "uuid":
        return isinstance(value, str) and _is_uuid(value)
    if leaf.schema.get("type") == "number":
        return isinstance(value, int | float)
    return isinstance(value, str | int) and 0 < len(str(value)) <= leaf.schema.get("maxLength", 300)


def render(endpoint: Endpoint, template: Template, value_of: Callable[[Leaf], Any]) -> Request:
    """Fill a template and encode it."""
    filled = {slot: _fill(value, value_of) for slot, value in template.parameters.items()}
    path = _PLACEHOLDER.sub(lambda match: _text(filled.get(("path", match.group(1)), "x")), endpoint.path)
    query = [pair for (place, name), value in filled.items() if place == "query" for pair in _pairs(name, value)]
    headers = [(name, _text(value)) for (place, name), value in filled.items() if place == "header"]
    cookies = [f"{name}={_text(value)}" for (place, name), value in filled.items() if place == "cookie"]
    if cookies:
        headers.append(("cookie", "; ".join(cookies)))
    body = b""
    if template.body is not None:
        content_type, body = encode_body(_fill(template.body, value_of), template.media_type)
        headers.append(("content-type", content_type))
    method = "GET" if endpoint.websocket else endpoint.method
    return Request(method, path, tuple(query), tuple(headers), body, websocket=endpoint.websocket)


def encode_body(value: Any, media_type: str) -> tuple[str, bytes]:
    """Content type and bytes of a filled body."""
    if media_type.startswith("multipart/form-data"):
        plain, _, table = media_type.partition("+")
        return f"{plain}; boundary={_BOUNDARY}", _multipart(value, table)
    if media_type == "application/x-www-form-urlencoded":
        return media_type, urlencode([pair for name, part in value.items() for pair in _pairs(name, part)]).encode()
    if media_type.endswith("json"):
        return media_type, json.dumps(value).encode() + (b"\n" if media_type.endswith("ndjson") else b"")
    if media_type == "text/csv":
        rows = io.StringIO()
        csv.writer(rows).writerows([value.keys(), map(_text, value.values())])
        return media_type, rows.getvalue().encode()
    return media_type, _text(value).encode()


def _multipart(value: dict[str, Any], table: str = "") -> bytes:
    """``table`` is how a file is written that is a row here: as ``csv``, ``json`` or ``x-ndjson``."""
    parts = []
    for name, item in value.items():
        if table and isinstance(item, dict):
            media_type, content = encode_body([item] if table == "json" else item, TABLES[table])
            parts.append(_part(name, content.decode(), f"rows.{table.removeprefix('x-')}", media_type))
            continue
        for text in item if isinstance(item, list) else [item]:
            # A plain field is accepted where a file is not, a file only with a name.
            file = isinstance(text, FileText)
            parts.append(
                _part(name, _text(text), f"{text[:18]}.txt", "text/plain") if file else _part(name, _text(text))
            )
    return ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode()


def _part(name: str, content: str, filename: str = "", media_type: str = "") -> str:
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"\r\nContent-Type: {media_type}' if filename else ""
    return f"--{_BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n"


class FileText(str):
    """Text that is sent as the content of an uploaded file."""

    __slots__ = ()


def is_file(leaf: Leaf) -> bool:
    """Whether the leaf is an upload."""
    return leaf.schema.get("format") == "binary" or "contentMediaType" in leaf.schema


def _fill(value: Any, value_of: Callable[[Leaf], Any]) -> Any:
    if isinstance(value, Leaf):
        return value_of(value)
    if isinstance(value, dict):
        filled = {key: _fill(below, value_of) for key, below in value.items()}
        return {key: below for key, below in filled.items() if below is not OMITTED}
    if isinstance(value, list):
        return [below for below in (_fill(one, value_of) for one in value) if below is not OMITTED]
    return value


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    return [(name, _text(item)) for item in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)
