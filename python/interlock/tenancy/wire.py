"""Messages of PostgreSQL's extended query protocol (Frontend/Backend Protocol, 55.7), for what is written ahead."""

from __future__ import annotations

import struct

SYNC = b"S\x00\x00\x00\x04"
# The unnamed portal, all rows.
EXECUTE = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"


def parse(name: str, statement: str) -> bytes:
    """Prepare ``statement`` under ``name``; the server infers the types of its parameters."""
    return _message(b"P", _text(name) + _text(statement) + b"\x00\x00")


def bind(name: str, *parameters: str) -> bytes:
    """Bind parameters, in text format, to the unnamed portal."""
    encoded = [parameter.encode() for parameter in parameters]
    values = b"".join(struct.pack("!I", len(value)) + value for value in encoded)
    counts = struct.pack("!HH", 0, len(encoded))
    return _message(b"B", b"\x00" + _text(name) + counts + values + b"\x00\x00")


def text_array(values: list[str]) -> str:
    """Write an array of text as PostgreSQL reads it (Array Input and Output Syntax, 8.15.6)."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _text(text: str) -> bytes:
    return text.encode() + b"\x00"


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
