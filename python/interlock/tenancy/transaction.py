"""Transaction mode, for poolers: each transaction carries the scope, for it may run in any session of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from interlock.tenancy.literals import quote_literal
from interlock.tenancy.modes import BROKEN, Mode, ModeName, SessionRefused, reset_statements
from interlock.tenancy.seal import SETTING

if TYPE_CHECKING:
    from interlock.tenancy.sealing import Seal
    from interlock.tenancy.session import Session
    from interlock.tenancy.stats import Counters

# What a session starts with, whatever those before have set in it. A standby refuses READ WRITE.
_DEFAULTS = (
    "SELECT max(reset_val) FILTER (WHERE name = 'default_transaction_isolation') AS isolation, "
    "bool_or(reset_val = 'on') FILTER (WHERE name = 'default_transaction_read_only') OR pg_is_in_recovery() AS reads "
    "FROM pg_settings WHERE name IN ('default_transaction_isolation', 'default_transaction_read_only')"
)
_HELD = "SELECT FROM pg_catalog.pg_prepared_statement() AS s HAVING pg_catalog.bool_or(s.from_sql)"
_IS_HELD = "SELECT 1"


class Transaction(Mode):
    """The scope is set at each ``BEGIN`` and goes with the transaction.

    Others who were given the same session of the server may have left anything in it. So each transaction begins with
    the reset that ends a checkout in the other modes; if it is rolled back, the next one does the same.
    """

    name: ClassVar[ModeName] = "transaction"
    transactional: ClassVar[bool] = True

    def __init__(self, guc: str, counters: Counters) -> None:
        super().__init__(guc, counters)
        self._isolation = "read committed"
        self._reads = False

    async def connected(self, session: Session) -> None:
        """Ask what transactions are like by default."""
        row = await session.connection.fetchrow(_DEFAULTS)
        if row is not None:
            self._isolation, self._reads = row["isolation"], row["reads"]

    async def enter_transaction(
        self, session: Session, org: str, seal: Seal | None, options: Mapping[str, Any]
    ) -> None:
        """Reset the session, and set the org for this transaction alone."""
        connection = session.connection
        unsealed = self.settings if seal is None else ()
        scope = "".join(f"SET LOCAL {name} = {quote_literal(org)}; " for name in unsealed)
        if await connection.execute(f"{self._undo(session, options)}; {scope}{_HELD}") == _IS_HELD:
            # Only its end removes it; and whoever sent it has no other way to hear of it.
            with contextlib.suppress(*BROKEN):
                await connection.execute("SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())")
            raise SessionRefused
        if seal is not None:
            # Which process serves the transaction is not known before it has begun.
            signature = seal.sign(await connection.fetchval("SELECT pg_catalog.pg_backend_pid()"))
            await connection.execute(
                "SELECT pg_catalog.set_config(s.name, s.value, true) "
                "FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS s(name, value)",
                [*self.settings, SETTING],
                [*(org for _ in self.settings), signature],
            )

    def _undo(self, session: Session, options: Mapping[str, Any]) -> str:
        # First what must precede every query: the transaction was begun with the defaults that were left behind.
        characteristics = []
        if not options.get("isolation"):
            characteristics.append(f"ISOLATION LEVEL {self._isolation}")
        if not (options.get("readonly") or self._reads):
            characteristics.append("READ WRITE")
        first = [f"SET TRANSACTION {', '.join(characteristics)}"] if characteristics else []
        # A pooler tells each client's settings to the session; RESET ALL has forgotten them.
        own = [f'SET LOCAL "{name}" = {quote_literal(value)}' for name, value in session.reported.items()]
        return "; ".join([*first, *reset_statements(session.connection), *own])
