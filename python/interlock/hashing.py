"""What makes two actions the same: canonical forms and the hashes of them.

Every hash is SHA-256 of a canonical form, shown as its first ``length`` hexadecimal digits.
Equal canonical forms mean the same action; a payload without a canonical form raises
:class:`~interlock.errors.CanonicalizationError` with the place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from interlock._native import (
    Absent,
    JSONText,
    canonical_http,
    canonical_json,
    canonical_shell,
    database_operation_hash,
    http_request_hash,
    json_hash,
    notification_hash,
    shell_command_hash,
)

__all__ = [
    "ABSENT",
    "Absent",
    "JSONText",
    "canonical_http",
    "canonical_json",
    "canonical_shell",
    "database_operation_hash",
    "hash_many",
    "http_request_hash",
    "json_hash",
    "notification_hash",
    "shell_command_hash",
]

ABSENT: Final = Absent()
"""No body, or no values: not the same as ``None``, which is the JSON value ``null``."""

_HASHES: Final[dict[str, Callable[..., str]]] = {
    "shell": shell_command_hash,
    "http": http_request_hash,
    "database": database_operation_hash,
    "notification": notification_hash,
}


async def hash_many(kind: str, payloads: Sequence[Any]) -> list[str]:
    """Hash a batch without holding up the event loop; the hashes stand in the order of the payloads.

    Args:
        kind: ``"shell"``, ``"http"``, ``"json"``, ``"database"`` or ``"notification"``.
        payloads: for ``"json"`` the values, else the arguments of the kind's own function, as a
            tuple or a mapping: ``("POST", "/jobs", {"id": 1})``.

    Raises:
        CanonicalizationError: a payload has no canonical form; the message begins with its index.

    """
    hashes = []
    for payload in payloads:
        if kind == "json":
            hashes.append(json_hash(payload))
        elif isinstance(payload, Mapping):
            hashes.append(_HASHES[kind](**payload))
        else:
            hashes.append(_HASHES[kind](*payload))
        await asyncio.sleep(0)
    return hashes
