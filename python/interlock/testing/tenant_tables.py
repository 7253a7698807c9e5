"""Finds out which rows of a database are whose: by the name of a column, by its content, or by what it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

TENANT_COLUMNS = (
    "org_id",
    "tenant_id",
    "organization_id",
    "organisation_id",
    "workspace_id",
    "account_id",
    "company_id",
)
MIN_TELLING = 8  # shorter names, such as the number of an org, are equal to other numbers by chance
MAX_GENERATIONS = 4

_TABLES = """
SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT quote_ident(a.attname)
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1) AS key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_%' AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY c.oid
"""
_COLUMNS = """
SELECT a.attname AS raw, quote_ident(a.attname) AS name, t.typcategory IN ('S', 'U') AS telling
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  AND (t.typcategory IN ('S', 'N') OR t.typname = 'uuid') ORDER BY a.attnum
"""
_REFERENCES = """
SELECT conrelid AS child, confrelid AS parent,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(conkey) WITH ORDINALITY AS k(n, o)
             JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.n ORDER BY k.o) AS columns,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(confkey) WITH ORDINALITY AS k(n, o)
             JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.n ORDER BY k.o) AS keys
FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid ORDER BY oid
"""


@dataclass(frozen=True)
class TenantTable:
    """A table with an owner for each row: ``owner`` is SQL over its alias ``t0``, names are quoted ready for use."""

    name: str
    owner: str
    row_security: bool
    forced: bool


@dataclass
class TenantTables:
    """The tables that hold tenants' rows, the columns they are told by, and the table of the tenants themselves."""

    tables: list[TenantTable] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    roots: list[tuple[str, str, str]] = field(default_factory=list)

    async def names_of(self, connection: asyncpg.Connection, names: Sequence[str]) -> list[str]:
        """The names with the keys that the database knows the same tenants by, such as the number behind a slug."""
        found = dict.fromkeys(names)
        for table, column, key in self.roots:
            rows = await connection.fetch(
                f"SELECT {key}::text AS key FROM {table} WHERE {column}::text = ANY($1) LIMIT 2",  # noqa: S608
                [name for name in names if len(name) >= MIN_TELLING],
            )
            if len(rows) == 1:
                found[rows[0]["key"]] = None
        return list(found)


async def find_tenant_tables(
    connection: asyncpg.Connection, columns: Iterable[str], names: Sequence[str] = ()
) -> TenantTables:
    """Every table whose rows have an owner.

    Args:
        connection: of a role that sees every row.
        columns: the names that a tenant's column may have.
        names: what a tenant that has written everywhere is called by; a column that holds one of these is a tenant's.

    """
    wanted, telling = set(columns), [name for name in names if len(name) >= MIN_TELLING]
    found = TenantTables()
    rows = {row["oid"]: row for row in await connection.fetch(_TABLES)}
    owners: dict[int, str] = {}
    for oid, row in rows.items():
        known = await connection.fetch(_COLUMNS, oid)
        named = next((one["name"] for one in known if one["raw"] in wanted), None)
        holding = named or await _holding(
            connection, row["name"], [one["name"] for one in known if one["telling"]], telling
        )
        if holding is None:
            continue
        owners[oid] = f"t0.{holding}"
        found.columns.add(holding.strip('"'))
        if row["key"] is not None and row["key"] != holding and named is None:
            found.roots.append((row["name"], holding, row["key"]))
    references = await connection.fetch(_REFERENCES)
    _follow(owners, references, rows)
    found.tables = [
        TenantTable(rows[oid]["name"], owner, rows[oid]["relrowsecurity"], rows[oid]["relforcerowsecurity"])
        for oid, owner in owners.items()
    ]
    return found


async def _holding(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], names: Sequence[str]
) -> str | None:
    for column in columns if names else ():
        if await connection.fetchval(f"SELECT true FROM {table} WHERE {column}::text = ANY($1) LIMIT 1", names):  # noqa: S608
            return column
    return None


def _follow(
    owners: dict[int, str],
    references: Sequence[asyncpg.Record],
    rows: dict[int, asyncpg.Record],
) -> None:
    """A row without a tenant's column is whose its parent is."""
    for generation in range(1, MAX_GENERATIONS):
        for reference in references:
            child, parent = reference["child"], reference["parent"]
            if child in owners or parent not in owners or child not in rows:
                continue
            alias = f"p{generation}_{child}"
            owner = owners[parent].replace("t0.", f"{alias}.")
            met = " AND ".join(
                f"{alias}.{key} = t0.{column}"
                for key, column in zip(reference["keys"], reference["columns"], strict=True)
            )
            table = rows[parent]["name"]
            owners[child] = f"(SELECT {owner} FROM {table} {alias} WHERE {met} LIMIT 1)"  # noqa: S608
