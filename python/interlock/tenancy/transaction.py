"""Transaction mode, for poolers: each transaction carries the scope, for it may run in any session of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from interlock.tenancy.literals import quote_literal
from interlock.tenancy.modes import Mode, ModeName
from interlock.tenancy.seal import SETTING

if TYPE_CHECKING:
    from interlock.tenancy.sealing import Seal
    from interlock.tenancy.session import Session

# What others who were given the same session may have left in it, and would change what a statement means.
_LEFT_BEHIND = "RESET ROLE; DISCARD TEMP"


class Transaction(Mode):
    """The scope is set at each ``BEGIN`` and goes with the transaction."""

    name: ClassVar[ModeName] = "transaction"
    transactional: ClassVar[bool] = True

    async def enter_transaction(self, session: Session, org: str, seal: Seal | None) -> None:
        """Set the org for this transaction alone."""
        connection = session.connection
        if seal is None:
            await connection.execute(f"{_LEFT_BEHIND}; SET LOCAL {self.guc} = {quote_literal(org)}")
            return
        await connection.execute(_LEFT_BEHIND)
        # Which process serves the transaction is not known before it has begun.
        signature = seal.sign(await connection.fetchval("SELECT pg_catalog.pg_backend_pid()"))
        await connection.execute(
            f"SELECT pg_catalog.set_config($1, $2, true), pg_catalog.set_config('{SETTING}', $3, true)",
            self.guc,
            org,
            signature,
        )
