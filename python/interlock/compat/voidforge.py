"""The hashes of the VoidForge pattern ``llm-state-dedup``, bit for bit, faults included.

They exist so that rows keyed by the published JavaScript functions can be matched and keyed anew.
New code uses :mod:`interlock.hashing` and :mod:`interlock.targets`.
"""

from __future__ import annotations

from typing import Any

from interlock._native import (
    voidforge_docker_logical_key,
    voidforge_http_request_hash,
    voidforge_shell_command_hash,
)

__all__ = ["docker_logical_key", "http_request_hash", "shell_command_hash"]


def shell_command_hash(command: str) -> str:
    """Return ``shellCommandHash(command)``: white space collapsed even inside quotes, 12 hex digits."""
    return voidforge_shell_command_hash(command)


def http_request_hash(method: str, path: str, body: Any = None) -> str:
    """Return ``httpRequestHash({method, path, body})``: nested keys lost, falsy bodies alike, 12 hex digits.

    Args:
        method: any string; it is upper-cased as JavaScript does.
        path: any string, taken as it is.
        body: a JSON value of Python's own types, as ``JSON.parse`` would give it; None or ``ABSENT``
            stand for ``undefined`` and ``null``.

    Raises:
        CanonicalizationError: a value or key of another type, or more than 512 levels or 2^20 values.

    """
    return voidforge_http_request_hash(method, path, body)


def docker_logical_key(command: str) -> str | None:
    """Return ``dockerLogicalKey(command)``, such as ``"stop:web"``, or None."""
    return voidforge_docker_logical_key(command)
