"""One request and its response, as the harness sees them: bytes, whatever the transport."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

MAX_INFLATED = 8 * 1024 * 1024
NO_RESPONSE = "no response in time"
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PACKED = re.compile(rb"(?:H4sI|UEsDB)[A-Za-z0-9+/_-]{16,}={0,2}")  # base64 of gzip and of zip
_SIGN_IN = re.compile(r"log-?in|sign-?in|/auth\b|/sso\b", re.IGNORECASE)
_REFUSAL = frozenset({"ok", "success", "error", "errors", "message", "detail", "code", "status"})


@dataclass(frozen=True)
class Request:
    """A request as sent; ``path`` and ``query`` are decoded text, ``body`` is bytes."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    websocket: bool = False
    messages: tuple[str, ...] = ()

    @property
    def raw_path(self) -> str:
        """The path, percent-encoded."""
        return quote(self.path, safe="/:@!$&'()*+,;=~-._")

    @property
    def query_string(self) -> str:
        """The query, percent-encoded."""
        return urlencode(self.query)

    @property
    def target(self) -> str:
        """Path and query, as in the first line of the request."""
        return self.raw_path + (f"?{self.query_string}" if self.query else "")

    def contains(self, text: bytes) -> bool:
        """Whether the sender put ``text`` anywhere in this request."""
        return text in self.sent_bytes

    @cached_property
    def sent_bytes(self) -> bytes:
        """Everything the sender wrote, for looking up what it knew."""
        said = [self.path, *(value for pair in self.query for value in pair), *self.messages]
        said += [value for _, value in self.headers]
        return "\n".join(said).encode() + b"\n" + self.body


@dataclass
class Response:
    """What came back. ``complete`` is false for a stream the client left, ``error`` is what the app raised."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    complete: bool = True
    error: str = ""
    logs: tuple[str, ...] = ()

    @property
    def timed_out(self) -> bool:
        """Whether it had not even begun when the client gave up: a long poll, perhaps."""
        return self.error == NO_RESPONSE

    @cached_property
    def ok(self) -> bool:
        """Whether it succeeded: 2xx that does not say otherwise, a redirect (but to a log-in), 304, or a WebSocket."""
        if 300 <= self.status < 400 and self.status != 304:
            return not _SIGN_IN.search(self.header("location") or "/login")
        return self.status in (101, 304) or (200 <= self.status < 300 and not self._says_no())

    def _says_no(self) -> bool:
        """Whether it is one of those that answer 200 to everything and put the failure into the body."""
        if not isinstance(self.json, dict):
            return False
        if self.json.get("ok") is False or self.json.get("success") is False:
            return True
        return bool(self.json.get("error") or self.json.get("errors")) and self.json.keys() <= _REFUSAL

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def content(self) -> bytes:
        """The body without its gzip or deflate coding."""
        coding = self.header("content-encoding") or ""
        if coding in ("gzip", "deflate") or self.body.startswith(_GZIP):
            return _inflate(self.body) or self.body
        return self.body

    @cached_property
    def told(self) -> bytes:
        """What is compared: the members of an archive, whose own bytes hold when it was packed; else the content."""
        members = [text for _, text in _zip_members(self.content)] if self.content.startswith(_ZIP) else []
        return b"\n".join(members) or self.content

    def surfaces(self) -> Iterator[tuple[str, bytes]]:
        """Every place where something can surface: headers, body, archive members, log records."""
        for key, value in self.headers:
            yield f"header {key}", value.encode("latin-1", "replace")
        if self.body:
            yield "body", self.body
        if self.content is not self.body:
            yield "body, decompressed", self.content
        if self.content.startswith(_ZIP):
            yield from _zip_members(self.content)
        for match in _PACKED.finditer(self.content):
            yield from _unpacked(match.group())
        for record in self.logs:
            yield "log record", record.encode()


def _inflate(data: bytes) -> bytes | None:
    # A cut stream still has its beginning, which is worth scanning.
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(data, MAX_INFLATED)
        except zlib.error:
            continue
    return None


def _unpacked(text: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        bare = text.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        data = base64.b64decode(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return
    if data.startswith(_ZIP):
        yield from _zip_members(data)
    elif (plain := _inflate(data)) is not None:
        yield "body, base64 of gzip", plain


def _zip_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist()[:256]:
                yield "archive member name", member.filename.encode()
                with archive.open(member) as content:
                    yield f"archive member {member.filename}", content.read(MAX_INFLATED)
    except (zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError, zlib.error):
        return


@dataclass(eq=False)
class Exchange:
    """A request of one org, its response, and what the harness was doing.

    ``values`` is what each leaf was filled with, ``uses`` the exchanges that those values came from.
    """

    index: int
    org: int | None
    endpoint: str
    request: Request
    response: Response
    purpose: str = ""
    values: Mapping[Any, Any] = field(default_factory=dict)
    uses: tuple[int, ...] = ()
