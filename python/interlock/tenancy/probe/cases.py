"""One table before the judge: the rows it is shown, and PostgreSQL's verdict on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import asyncpg

from interlock.tenancy.probe.findings import Unchecked
from interlock.tenancy.probe.policies import PREDICATES, Table
from interlock.tenancy.probe.rows import Tenants, foreign_rows, tenants_of

# What a policy raises to refuse loudly: insufficient_privilege.
_REFUSAL = "42501"
# A predicate that raises is asked row by row, on the plainest rows only: each of them costs a round trip.
_ONE_BY_ONE = 24


@dataclass
class Case:
    """A table and the rows it is shown.

    Attributes:
        table: with the policies of the runtime role, or of the owner of ``view``.
        view: the view that reads the table with its owner's rights, or "".
        tenants: the tenant in the session and those it is not.
        rows: JSON objects, one a row.
        shared: numbers of rows that tenant A itself may see, by command and clause: see :meth:`spare_what_is_shared`.

    """

    table: Table
    view: str = ""
    tenants: Tenants = field(init=False)
    rows: list[str] = field(init=False)
    shared: dict[tuple[str, bool], tuple[int, ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tenants = tenants_of(self.table.tenant)
        self.rows = [json.dumps(row) for row in foreign_rows(self.table, self.tenants)]

    async def keep_what_fits(self, connection: asyncpg.Connection) -> Unchecked | None:
        """Drop the rows that the table's types refuse; say so if none is left."""
        record = f"jsonb_populate_record(NULL::{self.table.name}, r)"
        statement = f"SELECT {record} FROM unnest($1::jsonb[]) AS given(r)"  # noqa: S608 - PostgreSQL quoted the name
        kept: list[str] = []
        reason = ""
        for batch in [self.rows, *([row] for row in self.rows)]:
            try:
                async with connection.transaction():
                    await connection.execute(statement, batch)
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
                reason = str(error)
                continue
            kept += batch
            if len(batch) == len(self.rows):
                return None
        self.rows = kept
        if kept:
            return None
        return Unchecked("D07", f"{self.table.name}: no row of another tenant can be made of its types: {reason}")

    async def spare_what_is_shared(self, connection: asyncpg.Connection, guc: str) -> None:
        """Where nothing tells whose a row is, judge only what a tenant sees *less* of than a session without one.

        Args:
            connection: a session of the runtime role, in a transaction.
            guc: the setting that holds the session's tenant.

        """
        if self.table.tenant_column or self.table.references:
            return
        await connection.execute("SAVEPOINT sparing")
        await connection.fetchval("SELECT set_config($1, $2, false)", guc, self.tenants.own)
        for label, command, written in PREDICATES:
            predicate = self.table.predicate(command, written=written)
            if predicate is not None:
                passing, _ = await self._passing(connection, predicate, (), self.rows)
                self.shared[label, written] = tuple(passing)
        await connection.execute("ROLLBACK TO sparing")

    async def first_foreign(
        self, connection: asyncpg.Connection, predicate: str, shared: tuple[int, ...]
    ) -> tuple[str | None, str]:
        """Return the first row of another tenant that passes, and what the predicate raised if it did."""
        passing, raised = await self._passing(connection, predicate, shared, self.rows)
        return (self.rows[passing[0] - 1] if passing else None), raised

    async def passes_ownerless(self, connection: asyncpg.Connection, predicate: str) -> bool:
        """Whether a row without a tenant passes."""
        passing, _ = await self._passing(connection, predicate, (), [json.dumps({self.table.tenant_column: None})])
        return bool(passing)

    async def _passing(
        self, connection: asyncpg.Connection, predicate: str, without: tuple[int, ...], rows: list[str]
    ) -> tuple[list[int], str]:
        """Numbers of the rows that pass: all at once, or one after the other where the predicate raises."""
        table = self.table
        # The text is PostgreSQL's own, from pg_get_expr; values travel as parameters.
        statement = (
            f"SELECT array_agg(n ORDER BY n) FROM (SELECT n, (jsonb_populate_record(NULL::{table.name}, r)).* "  # noqa: S608
            f"FROM unnest($1::jsonb[], $2::bigint[]) AS given(r, n)) AS {table.alias} "
            f"WHERE ({predicate}) IS TRUE AND n <> ALL ($3) AND {table.is_foreign('$4::text')}"
        )
        numbered = list(enumerate(rows, 1))
        passing: list[int] = []
        raised = ""
        for batch in [numbered, *([row] for row in numbered[:_ONE_BY_ONE])]:
            await connection.execute("SAVEPOINT judged")
            try:
                found = await connection.fetchval(
                    statement, [row for _, row in batch], [n for n, _ in batch], without, self.tenants.own
                )
            except asyncpg.PostgresError as error:
                await connection.execute("ROLLBACK TO judged")
                if error.sqlstate != _REFUSAL:
                    raised = f"{error.sqlstate} {error}"
                continue
            passing += found or []
            if len(batch) == len(numbered):
                break
        return passing, "" if passing else raised
