"""Messages of PostgreSQL's extended query protocol (Frontend/Backend Protocol, 55.7), for what is written ahead."""

from __future__ import annotations

from collections.abc import Iterable

SYNC = b"S\x00\x00\x00\x04"
# The unnamed portal, all rows.
EXECUTE = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"

NULL = b"\xff\xff\xff\xff"
"""As a parameter of :func:`bind`."""


def parse(name: str, statement: str, *types: int) -> bytes:
    """Prepare ``statement`` under ``name``, with parameters of ``types`` (oids); the server infers those not given."""
    oids = b"".join(oid.to_bytes(4, "big") for oid in types)
    return _message(b"P", _string(name) + _string(statement) + len(types).to_bytes(2, "big") + oids)


def bind(name: str, *parameters: bytes) -> bytes:
    """Bind parameters, each :func:`text` or :data:`NULL`, to the unnamed portal, for a result in text format."""
    count = len(parameters).to_bytes(2, "big")
    return _message(b"B", b"\x00%b\x00\x00\x00%b%b\x00\x00" % (name.encode(), count, b"".join(parameters)))


def text(value: str) -> bytes:
    """Write a parameter in text format."""
    data = value.encode()
    return len(data).to_bytes(4, "big") + data


def text_array(values: Iterable[str]) -> str:
    """Write an array of text as PostgreSQL reads it (Array Input and Output Syntax, 8.15.6)."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _string(value: str) -> bytes:
    return value.encode() + b"\x00"


def _message(kind: bytes, body: bytes) -> bytes:
    return b"%b%b%b" % (kind, (len(body) + 4).to_bytes(4, "big"), body)
