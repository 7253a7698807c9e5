"""What makes two actions the same: canonical forms and the hashes of them.

Every hash is SHA-256 of a canonical form, shown as its first ``length`` hexadecimal digits.
Equal canonical forms mean the same action; a payload without a canonical form raises
:class:`~interlock.errors.CanonicalizationError` with the place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from interlock._native import (
    Absent,
    HashBatch,
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


async def hash_many(kind: str, payloads: Iterable[Any]) -> list[str]:
    """Hash a batch without holding up the event loop; the hashes stand in the order of the payloads.

    Each is what the function of the kind returns by default: 64 hex digits for ``"json"``, else 12.
    Objects are read in slices of well under a millisecond between which the loop runs; parsing of text
    and digesting happen on a thread, without the interpreter lock (in a forked child of a process that
    has used it already, between two slices). A list or tuple is taken as it is now; any other iterable is
    asked for its payloads while the batch goes on, a few at a time.

    Args:
        kind: ``"shell"``, ``"http"``, ``"json"``, ``"database"`` or ``"notification"``.
        payloads: for ``"shell"`` the commands, for ``"json"`` the values, else the arguments of the
            kind's own function, each as a tuple or a dict: ``("POST", "/jobs", {"id": 1})``.

    Raises:
        CanonicalizationError: a payload has no canonical form; ``.index`` says which, and so does the
            message.
        TypeError: a payload is not of the shape of its kind; a note says which.
        ValueError: there is no such kind.

    """
    batch = HashBatch(kind, payloads)
    del payloads  # the batch lets go of each when it has been read
    hashes: list[str] = []
    digesting: asyncio.Future[list[str]] | None = None
    try:
        while not batch.done:
            has_room = True
            while has_room:
                has_room = batch.read()
                await asyncio.sleep(0)
            reading, digesting = digesting, batch.digest()
            if reading is not None:
                hashes += await reading
        if digesting is not None:
            hashes += await digesting
    finally:
        if digesting is not None:
            _abandon(digesting)
    return hashes


def _abandon(future: asyncio.Future[Any]) -> None:
    """Cancel a future that nobody will await, or take its error, which asyncio would report as lost."""
    if not future.cancel() and not future.cancelled():
        future.exception()
