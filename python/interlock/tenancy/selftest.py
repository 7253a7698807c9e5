"""Whether the pipelined mode works with this driver, this transport and this server, tried out at the start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from interlock.errors import ModeUnavailable
from interlock.tenancy.pipelined import Channel, Pipelined
from interlock.tenancy.session import Session
from interlock.tenancy.stats import Counters

if TYPE_CHECKING:
    from interlock.tenancy.roles import Identity

SECONDS = 10
_ORG = "interlock-self-test"


async def why_not_pipelined(connection: asyncpg.Connection, who: Identity, guc: str) -> str:
    """Run the pipelined mode on ``connection``, which is of no use afterwards; return what is wrong, or nothing."""
    if not who.pipelines:
        return "its procedure is missing or not granted (run interlock.schema.migrate)"
    mode = Pipelined(guc, Counters(), quiet=True)
    try:
        async with asyncio.timeout(SECONDS):
            return await _try_out(mode, Session(connection, who.pid, in_use=True), guc)
    except (
        AttributeError,
        TypeError,
        ModeUnavailable,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        OSError,
    ) as error:
        return f"its self-test failed ({type(error).__name__})"
    finally:
        await mode.stop()


async def _try_out(mode: Pipelined, session: Session, guc: str) -> str:
    connection = session.connection
    await mode.connected(session)
    # The reset goes by itself, or with the next prelude.
    for alone in (True, False, True):
        await mode.enter(session, _ORG, "")
        if await connection.fetchval("SELECT current_setting($1)", guc) != _ORG:
            return "its self-test found another scope in the session"
        mode.leave(session)
        if alone:
            mode.flush()
    channel = session.channel
    if not isinstance(channel, Channel):
        return "its self-test found no channel"
    # As if the reset had not come through: what follows must not run.
    channel.forget_nonce()
    await mode.enter(session, _ORG, "")
    try:
        await connection.fetchval("SELECT 1")
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
        return ""
    return "its self-test got an answer from a session that was not reset"
