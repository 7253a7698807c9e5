"""Ground truth: what the database holds for each org, read and reset by a role that bypasses RLS."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interlock.errors import HarnessError
from interlock.testing.tenant_tables import TENANT_COLUMNS, TenantTable, TenantTables, find_tenant_tables

if TYPE_CHECKING:
    import asyncpg

    from interlock.testing.world import Org

Admin = str | Callable[[], Any]
FIRST_SERIAL = 20_000_000
_NUMBER = re.compile(r"^[0-9]{8,18}$")
_UUID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

# Sequences of one database, so that an id occurs in one table only and "A's id in B's body" is exact.
_SEQUENCES = """
SELECT s.seqrelid::regclass::text AS name, row_number() OVER (ORDER BY s.seqrelid) AS position
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
WHERE s.seqmax >= 2147483647 AND s.seqincrement = 1 AND NOT s.seqcycle
"""
_SESSIONS = """
SELECT DISTINCT a.usename::text AS role, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relforcerowsecurity
               AND pg_has_role(r.oid, c.relowner, 'USAGE')) AS owns
FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
"""


@dataclass
class Snapshot:
    """The rows of some orgs: (place, index of the org) → a digest of what is there."""

    rows: dict[tuple[str, int], str] = field(default_factory=dict)

    def changed(self, later: Snapshot, org: Org) -> list[str]:
        """The places in which the org's rows differ."""
        places = {place for place, owner in (*self.rows, *later.rows) if owner == org.index}
        return sorted(p for p in places if self.rows.get((p, org.index)) != later.rows.get((p, org.index)))


class Truth:
    """An admin connection on the harness's loop."""

    def __init__(self, admin: Admin, tenant_columns: Iterable[str] | None = None) -> None:
        self._admin = admin
        self._columns = None if tenant_columns is None else list(tenant_columns)
        self._connection: asyncpg.Connection | None = None
        self._found = TenantTables()
        self.serial_ids_disjoint = False
        self._undeletable: set[str] = set()

    async def open(self) -> None:
        """Connect, find the tenant tables, and give every sequence a range of its own.

        Raises:
            HarnessError: the admin cannot connect, or sees no tenant table.

        """
        self._connection = await self._connect()
        self._found = await find_tenant_tables(self._connection, self._columns or TENANT_COLUMNS)
        bypasses = await self._connection.fetchval(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        if not bypasses and any(table.row_security for table in self.tables):
            raise HarnessError("the admin role sees only one org's rows: give admin= a role with BYPASSRLS")
        self.serial_ids_disjoint = await self._separate_sequences()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connect(self) -> asyncpg.Connection:
        import asyncpg

        try:
            if isinstance(self._admin, str):
                return await asyncpg.connect(self._admin)
            made = self._admin()
            connection: asyncpg.Connection = await made if inspect.isawaitable(made) else made
            return connection
        except (OSError, asyncpg.PostgresError) as error:
            raise HarnessError(
                f"admin= cannot connect ({type(error).__name__}): give the DSN of a BYPASSRLS role"
            ) from error

    @property
    def tables(self) -> list[TenantTable]:
        """The tables whose rows have an owner."""
        return self._found.tables

    @property
    def columns(self) -> set[str]:
        """The columns that tell the owner."""
        return self._found.columns

    async def look_for(self, org: Org) -> None:
        """Find the tables that an org which has written everywhere has rows in, whatever their columns are called."""
        if self._columns is None:
            self._found = await find_tenant_tables(self.connection, TENANT_COLUMNS, org.names)

    async def recognise(self, org: Org) -> None:
        """Learn what the database calls the org, beside the names it is known by outside."""
        org.keys = tuple(await self._found.names_of(self.connection, org.names))

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def connection(self) -> asyncpg.Connection:
        """The open connection."""
        if self._connection is None:
            raise HarnessError("the admin connection is not open: call open() first")
        return self._connection

    async def _separate_sequences(self) -> bool:
        import asyncpg

        separated = True
        for row in await self.connection.fetch(_SEQUENCES):
            start = FIRST_SERIAL * int(row["position"])
            if start >= 2_000_000_000:
                return False
            try:
                if await self.connection.fetchval(f"SELECT last_value < $1 FROM {row['name']}", start):  # noqa: S608
                    await self.connection.execute(f"SELECT setval('{row['name']}', {start})")
            except asyncpg.InsufficientPrivilegeError:
                separated = False
        return separated

    async def snapshot(self, *orgs: Org) -> Snapshot:
        """Every row of the orgs, in one statement; only digests leave the database."""
        rows = await self._rows("count(*) || ' ' || sum(hashtextextended(to_jsonb(t0)::text, 0))", "GROUP BY 2", orgs)
        return Snapshot({(f"table {self.tables[place].name}", org): digest for place, org, digest in rows})

    async def identifiers(self, *orgs: Org) -> dict[int, set[bytes]]:
        """The identifiers in the rows of each org."""
        found: dict[int, set[bytes]] = {org.index: set() for org in orgs}
        for _, org, row in await self._rows("to_jsonb(t0)::text", "", orgs):
            found[org].update(_identifiers(json.loads(row)))
        return found

    async def _rows(self, what: str, grouped: str, orgs: Sequence[Org]) -> list[tuple[int, int, str]]:
        """Position of the table, index of the org, and ``what`` of its rows there, for each table."""
        whose = {key: org.index for org in orgs for key in org.keys}
        parts = [
            f"SELECT {position} AS place, ({table.owner})::text AS org, {what} AS told "  # noqa: S608
            f"FROM {table.name} t0 WHERE ({table.owner})::text = ANY($1) {grouped}"
            for position, table in enumerate(self.tables)
        ]
        rows = await self.connection.fetch(" UNION ALL ".join(parts), list(whose)) if parts else []
        return [(row["place"], whose[row["org"]], row["told"]) for row in rows]

    async def forget(self, keys: Iterable[str]) -> None:
        """Delete the rows of these orgs wherever this role may; DELETE, because TRUNCATE costs 50 times as much."""
        import asyncpg

        wanted = list(keys)
        waiting = [table for table in reversed(self.tables) if table.name not in self._undeletable]
        for _ in range(4):  # children before parents: what a foreign key holds back goes in the next round
            held_back = []
            for table in waiting:
                try:
                    await self.connection.execute(
                        f"DELETE FROM {table.name} t0 WHERE ({table.owner})::text = ANY($1)",  # noqa: S608
                        wanted,
                    )
                except asyncpg.ForeignKeyViolationError:
                    held_back.append(table)
                except asyncpg.PostgresError:
                    self._undeletable.add(table.name)  # append-only by grant or trigger: its rows stay
            if not held_back:
                return
            waiting = held_back

    async def bypassing_roles(self) -> tuple[list[str], list[str]]:
        """The roles connected to this database now: those that RLS does not bind, and why, and those it does."""
        bypassing: list[str] = []
        bound: list[str] = []
        for row in await self.connection.fetch(_SESSIONS):
            reasons = {"a superuser": "rolsuper", "it has BYPASSRLS": "rolbypassrls", "it owns tables": "owns"}
            reason = next((said for said, flag in reasons.items() if row[flag]), None)
            (bypassing if reason else bound).append(f"{row['role']} ({reason})" if reason else row["role"])
        return bypassing, bound


def _identifiers(row: dict[str, Any]) -> set[bytes]:
    """UUIDs, and large numbers in columns named like ids: what cannot be equal in two orgs by chance."""
    found = set()
    for name, value in row.items():
        text = str(value).lower()
        is_uuid = isinstance(value, str) and _UUID.match(text)
        is_serial = isinstance(value, int) and name.endswith("id") and _NUMBER.match(text) and value >= FIRST_SERIAL
        if is_uuid or is_serial:
            found.add(text.encode())
    return found
