"""Messages of PostgreSQL's extended query protocol (Frontend/Backend Protocol, 55.7), for what is written ahead."""

from __future__ import annotations

SYNC = b"S\x00\x00\x00\x04"
# The unnamed portal, all rows.
EXECUTE = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"

_NULL = b"\xff\xff\xff\xff"


def parse(name: str, statement: str) -> bytes:
    """Prepare ``statement`` under ``name``; the server infers the types of its parameters."""
    return _message(b"P", _text(name) + _text(statement) + b"\x00\x00")


def bind(name: str, *parameters: str | None) -> bytes:
    """Bind parameters, in text format or NULL, to the unnamed portal."""
    return _message(b"B", b"\x00" + _text(name) + _values(parameters))


def call(function: int, *parameters: str | None) -> bytes:
    """Call a function by its oid (Function Call, 55.2.5); ends its transaction, and is answered as if by Sync.

    There is no name in it, of a statement or of a function, that could lead anywhere else.
    """
    return _message(b"F", function.to_bytes(4, "big") + _values(parameters))


def text_array(values: list[str]) -> str:
    """Write an array of text as PostgreSQL reads it (Array Input and Output Syntax, 8.15.6)."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _values(parameters: tuple[str | None, ...]) -> bytes:
    """Parameters in text format, and text format for the result."""
    parts = [b"\x00\x00", len(parameters).to_bytes(2, "big")]
    for parameter in parameters:
        if parameter is None:
            parts.append(_NULL)
            continue
        value = parameter.encode()
        parts += (len(value).to_bytes(4, "big"), value)
    parts.append(b"\x00\x00")
    return b"".join(parts)


def _text(text: str) -> bytes:
    return text.encode() + b"\x00"


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body
