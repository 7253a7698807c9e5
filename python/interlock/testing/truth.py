"""Ground truth: what the database holds for each org, read and reset by a role that bypasses RLS."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interlock.errors import HarnessError

if TYPE_CHECKING:
    import asyncpg

Admin = str | Callable[[], Any]
TENANT_COLUMNS = (
    "org_id",
    "tenant_id",
    "organization_id",
    "organisation_id",
    "workspace_id",
    "account_id",
    "company_id",
)
FIRST_SERIAL = 20_000_000
_NUMBER = re.compile(r"^[0-9]{8,18}$")
_UUID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

_TENANT_TABLES = """
SELECT c.oid::regclass::text AS name, quote_ident(a.attname) AS tenant_column, c.relrowsecurity, c.relforcerowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_%' AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY($1)
  AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.oid
"""
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


@dataclass(frozen=True)
class TenantTable:
    """A table with a tenant column, quoted ready for use in a statement."""

    name: str
    column: str
    row_security: bool
    forced: bool


@dataclass
class Snapshot:
    """The rows of some orgs: table → org id → digests of the rows, and the identifiers in them."""

    rows: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    identifiers: dict[str, set[bytes]] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)

    def changed(self, later: Snapshot, org: str) -> list[str]:
        """The tables in which the org's rows differ."""
        tables = {table for table, owner in (*self.rows, *later.rows) if owner == org}
        return sorted(t for t in tables if self.rows.get((t, org), set()) != later.rows.get((t, org), set()))


class Truth:
    """An admin connection on the harness's loop."""

    def __init__(self, admin: Admin, tenant_columns: Iterable[str] = TENANT_COLUMNS) -> None:
        self._admin = admin
        self._columns = list(tenant_columns)
        self._connection: asyncpg.Connection | None = None
        self.tables: list[TenantTable] = []
        self.serial_ids_disjoint = False
        self._undeletable: set[str] = set()

    async def open(self) -> None:
        """Connect, find the tenant tables, and give every sequence a range of its own.

        Raises:
            HarnessError: the admin cannot connect, or sees no tenant table.

        """
        self._connection = await self._connect()
        found = await self._connection.fetch(_TENANT_TABLES, self._columns)
        self.tables = [
            TenantTable(r["name"], r["tenant_column"], r["relrowsecurity"], r["relforcerowsecurity"]) for r in found
        ]
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

    async def snapshot(self, orgs: Iterable[str]) -> Snapshot:
        """Every row of the orgs, in one statement."""
        wanted = list(orgs)
        found = Snapshot(identifiers={org: set() for org in wanted}, text=dict.fromkeys(wanted, ""))
        if not self.tables:
            return found
        parts = [
            f"SELECT '{position}' AS place, {table.column}::text AS org, to_jsonb(t)::text AS row "  # noqa: S608
            f"FROM {table.name} t WHERE {table.column}::text = ANY($1)"
            for position, table in enumerate(self.tables)
        ]
        for row in await self.connection.fetch(" UNION ALL ".join(parts), wanted):
            table = self.tables[int(row["place"])].name
            digest = hashlib.sha256(row["row"].encode()).hexdigest()
            found.rows.setdefault((table, row["org"]), set()).add(digest)
            found.identifiers[row["org"]].update(_identifiers(json.loads(row["row"])))
            found.text[row["org"]] += row["row"]
        return found

    async def forget(self, orgs: Iterable[str]) -> None:
        """Delete the rows of these orgs wherever this role may; DELETE, because TRUNCATE costs 50 times as much."""
        import asyncpg

        wanted = list(orgs)
        waiting = [table for table in reversed(self.tables) if table.name not in self._undeletable]
        for _ in range(4):  # children before parents: what a foreign key holds back goes in the next round
            held_back = []
            for table in waiting:
                try:
                    await self.connection.execute(
                        f"DELETE FROM {table.name} WHERE {table.column}::text = ANY($1)",  # noqa: S608
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
        """The roles connected to this database now: those that RLS does not bind, and those it does."""
        bypassing: list[str] = []
        bound: list[str] = []
        for row in await self.connection.fetch(_SESSIONS):
            free = row["rolsuper"] or row["rolbypassrls"] or row["owns"]
            (bypassing if free else bound).append(row["role"])
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
