"""The tamper-evident scope: the org of a session carries a signature that PostgreSQL verifies.

A plain setting can be changed by any SQL that runs in the session, injected SQL too. With the seal, the policy
function ``interlock.current_org()`` compares the setting with an HMAC-SHA256 (RFC 2104) over the backend's process id,
the org and an expiry, and raises SQLSTATE 42501 if they do not agree. The key is in the application and in a table
that only this function may read.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock._native import Key, scope_key_pads

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["ENVIRONMENT_VARIABLE", "LIFETIME", "SETTING", "Key", "generate_key", "key_for", "rotate_scope_key", "seal"]

SETTING = "interlock.seal"
"""The PostgreSQL setting that holds the seal, beside the setting that holds the org."""

LIFETIME = 300
"""Seconds for which a seal is valid. A connection held longer needs a new one."""

ENVIRONMENT_VARIABLE = "INTERLOCK_SCOPE_KEY"


def generate_key() -> str:
    """Return a new random secret for ``Key`` and ``INTERLOCK_SCOPE_KEY``: 64 hexadecimal digits."""
    return secrets.token_hex(32)


def key_for(tamper_evident: bool | Key, *, environ: Mapping[str, str] = os.environ) -> Key | None:
    """Return the key meant by ``tamper_evident=``: itself, the one in ``INTERLOCK_SCOPE_KEY`` for True, or None.

    Raises:
        ValueError: True, but the variable is not set or too short.

    """
    if isinstance(tamper_evident, Key):
        return tamper_evident
    if not tamper_evident:
        return None
    secret = environ.get(ENVIRONMENT_VARIABLE)
    if not secret:
        raise ValueError(
            f"tamper_evident=True needs a key: set {ENVIRONMENT_VARIABLE}, or pass tamper_evident=Key(...)"
        )
    return Key(secret)


def seal(key: Key, pid: int, org_text: str, *, now: float | None = None) -> tuple[str, int]:
    """Return the value for ``SETTING`` and when it expires, in seconds since the epoch.

    Args:
        key: signs.
        pid: the backend's process id: the seal is worthless in any other session.
        org_text: the canonical text of the org id, as the session's setting has it.
        now: seconds since the epoch; the system clock if None.

    """
    expires_at = int(time.time() if now is None else now) + LIFETIME
    return key.seal(pid, org_text, expires_at), expires_at


async def rotate_scope_key(owner_connection: Connection, key: Key, *, keep_previous: bool = True) -> None:
    """Make ``key`` valid in the database, beside the one before it, so that no session fails during a rotation.

    Rotate first, then restart the application with the new key; once every seal of the old key has expired
    (``LIFETIME`` after the last restart), call this again with ``keep_previous=False`` to revoke the old one.
    Repeating a call changes nothing.

    Args:
        owner_connection: an asyncpg connection of the role that owns the schema ``interlock``.
        key: the new key.
        keep_previous: whether the newest of the other keys stays valid; all older ones never do.

    """
    inner_pad, outer_pad = scope_key_pads(key)
    async with owner_connection.transaction():
        # Two rotations at once must not each keep a different pair.
        await owner_connection.execute("LOCK TABLE interlock.scope_keys IN SHARE ROW EXCLUSIVE MODE")
        await owner_connection.execute(
            """
            INSERT INTO interlock.scope_keys (id, inner_pad, outer_pad) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO NOTHING
            """,
            key.id,
            inner_pad,
            outer_pad,
        )
        await owner_connection.execute(
            """
            DELETE FROM interlock.scope_keys
            WHERE id <> $1 AND id NOT IN (
                SELECT id FROM interlock.scope_keys WHERE id <> $1 ORDER BY added_at DESC LIMIT $2
            )
            """,
            key.id,
            1 if keep_previous else 0,
        )
