"""One action somebody wants done, identified by what it would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

from interlock import hashing
from interlock.errors import CanonicalizationError, ProposalTooLarge
from interlock.hashing import ABSENT

CANON_VERSION = 1
"""Raised by a release that changes a canonical form: rows in flight are then compared under both."""

MAX_PAYLOAD_BYTES = 1 << 20
MAX_LABEL_CHARACTERS = 200

_BUILT_IN = frozenset({"shell", "argv", "http", "database", "notification", "tool"})


class Proposal:
    """One action: its kind, its operative payload in canonical form, and the context it would run in.

    The identity is all 32 bytes of SHA-256 over the canonical form, and over the context where one is given:
    ``\\0interlock.context\\0`` + canonical_json(context) + ``\\0`` + canonical form. No canonical form starts with
    NUL. ``display_id`` is a label and never part of it.

    Make one with :meth:`shell`, :meth:`argv`, :meth:`http`, :meth:`database`, :meth:`notification`, :meth:`tool` or
    :meth:`custom`. Each raises ``CanonicalizationError`` for a payload without a canonical form, and
    ``ProposalTooLarge`` for one above ``MAX_PAYLOAD_BYTES``.
    """

    def __init__(
        self, kind: str, canonical: bytes, *, display_id: str | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        self.kind = kind
        self.canonical = canonical
        self.context = None if context is None else dict(context)
        self.display_id = None if display_id is None else _label(display_id)
        self.canonical_context = None if context is None else hashing.canonical_json(self.context)
        size = len(canonical) + len(self.canonical_context or b"")
        if size > MAX_PAYLOAD_BYTES:
            raise ProposalTooLarge(
                f"a {kind} proposal of {size} bytes: at most {MAX_PAYLOAD_BYTES} are stored; pass a reference instead",
                size=size,
                limit=MAX_PAYLOAD_BYTES,
            )

    @classmethod
    def shell(
        cls, command: str, *, display_id: str | None = None, context: Mapping[str, Any] | None = None
    ) -> Proposal:
        """A command line for ``sh -c``."""
        return cls("shell", hashing.canonical_shell(command).encode(), display_id=display_id, context=context)

    @classmethod
    def argv(
        cls, arguments: Sequence[str], *, display_id: str | None = None, context: Mapping[str, Any] | None = None
    ) -> Proposal:
        """A program and its arguments, run without a shell."""
        words = list(arguments)
        if isinstance(arguments, str) or not words or not all(isinstance(word, str) for word in words):
            raise CanonicalizationError("argv is a list of one or more strings", path="$", reason="argv")
        return cls("argv", hashing.canonical_json(words), display_id=display_id, context=context)

    @classmethod
    def http(
        cls,
        method: str,
        path: str,
        body: Any = ABSENT,
        *,
        display_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Proposal:
        """An HTTP request; the host, when not in the path, belongs in ``context``."""
        return cls("http", hashing.canonical_http(method, path, body), display_id=display_id, context=context)

    @classmethod
    def database(
        cls,
        table: str,
        primary_key: Any,
        operation: str,
        values: Any = ABSENT,
        *,
        display_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Proposal:
        """A write to one row; ``values`` may be left out for a delete only, since nothing else says what it does."""
        if values is ABSENT and operation.lower() != "delete":
            raise CanonicalizationError(
                f"a database {operation[:40]} needs its values: without them two different ones would be the same",
                path="$.values",
                reason="absent",
            )
        form = ["database", table, primary_key, operation, *([] if values is ABSENT else [values])]
        return cls("database", hashing.canonical_json(form), display_id=display_id, context=context)

    @classmethod
    def notification(
        cls,
        recipient: str,
        channel: str,
        message: str,
        *,
        display_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Proposal:
        """A message to somebody."""
        form = ["notification", recipient, channel, message]
        return cls("notification", hashing.canonical_json(form), display_id=display_id, context=context)

    @classmethod
    def tool(
        cls, name: str, arguments: Any, *, display_id: str | None = None, context: Mapping[str, Any] | None = None
    ) -> Proposal:
        """A call of a tool, with every argument it is called with."""
        return cls("tool", hashing.canonical_json(["tool", name, arguments]), display_id=display_id, context=context)

    @classmethod
    def custom(
        cls, kind: str, payload: Any, *, display_id: str | None = None, context: Mapping[str, Any] | None = None
    ) -> Proposal:
        """An action of your own kind; every field of ``payload`` counts."""
        if kind in _BUILT_IN or not 0 < len(kind) <= 64 or not kind.isprintable():
            raise CanonicalizationError(
                f"{kind[:64]!r} cannot be a custom kind: use 1 to 64 printable characters, none of "
                f"{', '.join(sorted(_BUILT_IN))}",
                reason="kind",
            )
        return cls(kind, hashing.canonical_json(payload), display_id=display_id, context=context)

    @cached_property
    def content_hash(self) -> str:
        """Identity: 64 hexadecimal digits."""
        if self.canonical_context is None:
            return sha256(self.canonical).hexdigest()
        return sha256(b"\0interlock.context\0" + self.canonical_context + b"\0" + self.canonical).hexdigest()

    @cached_property
    def cmd_hash(self) -> str:
        """For people: 12 digits of the digest of the canonical form alone."""
        return sha256(self.canonical).hexdigest()[:12]

    @cached_property
    def logical_keys(self) -> tuple[str, ...]:
        """``verb:target`` of every operations command in a shell command, in order, each once."""
        if self.kind != "shell":
            return ()
        from interlock.targets import actions

        return tuple(dict.fromkeys(key for action in actions(self.canonical.decode()) for key in action.logical_keys))

    def __repr__(self) -> str:
        # No payload: it may hold secrets.
        return f"<Proposal {self.kind} {self.cmd_hash}>"


def _label(display_id: str) -> str:
    """A label never makes a proposal fail: what a database cannot store is replaced, what is too long is cut."""
    text = display_id[:MAX_LABEL_CHARACTERS].encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
