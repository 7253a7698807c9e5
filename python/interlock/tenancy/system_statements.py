"""What the private lanes accept, and nothing else. Needs no driver, so that whoever names a statement needs none."""

from __future__ import annotations

import enum


class SystemStatement(enum.Enum):
    """Every statement the lane may run. Their parameters are data; no text is ever put together."""

    WRITE_SYSTEM_AUDIT = (
        "INSERT INTO interlock.audit (org_id, actor, action, subject, details) "
        "VALUES (NULL, $1, $2, $3, $4::text::jsonb) RETURNING id"
    )
    # A rival that has not committed is waited for: if it rolls back, this one wins.
    FIRE_ONCE = (
        "INSERT INTO interlock.fire_once AS f (key, fired, epoch) VALUES ($1, true, 1) "
        "ON CONFLICT (key) DO UPDATE SET fired = true, epoch = f.epoch + 1, changed_at = clock_timestamp() "
        "WHERE NOT f.fired RETURNING epoch"
    )
    READ_FIRED_EPOCH = "SELECT epoch FROM interlock.fire_once WHERE key = $1 AND fired"
    RESET_FIRED = (
        "UPDATE interlock.fire_once SET fired = false, changed_at = clock_timestamp() "
        "WHERE key = $1 AND fired AND ($2::bigint IS NULL OR epoch = $2) RETURNING epoch"
    )
    LIMIT_LOCK_WAIT = "SELECT set_config('lock_timeout', $1, true)"


class TenantStatement(enum.Enum):
    """Base of what the lane of the tenant role runs: constant statements, whose first parameter is the org."""


class SystemChannel(enum.Enum):
    """Every channel the lane may listen on. A notification is a signal: its payload is not read."""

    PROPOSALS = "interlock_proposals"
