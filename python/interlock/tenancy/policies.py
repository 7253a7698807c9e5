"""The start's fast look at the policies: does one let rows through although no tenant is set?

PostgreSQL itself evaluates each table's combined policy on a row that does not exist: no data is read, no SQL parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from asyncpg import Connection

TIMEOUT = "5s"

# As PostgreSQL combines them: one permissive policy must let the row through, and every restrictive one.
_READ_POLICIES = """
SELECT format('%I.%I', n.nspname, c.relname) AS qualified, format('%I', c.relname) AS name,
       a.atttypid::regtype::text AS type,
       string_agg(pg_get_expr(p.polqual, c.oid), ') OR (') FILTER (WHERE p.polpermissive) AS permissive,
       string_agg(pg_get_expr(p.polqual, c.oid), ') AND (') FILTER (WHERE NOT p.polpermissive) AS restrictive
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid AND c.relrowsecurity
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped
WHERE p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL
  AND EXISTS (SELECT FROM unnest(p.polroles) AS r(oid) WHERE r.oid = 0 OR pg_has_role(current_user, r.oid, 'MEMBER'))
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
GROUP BY 1, 2, 3 HAVING bool_or(p.polpermissive) ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A table whose policy admits rows in ``state``: ``"unset"`` or ``"empty"``."""

    table: str
    state: str


async def open_without_a_tenant(connection: Connection, tenant_column: str, guc: str) -> list[Finding]:
    """Return the tables whose rows the role could read with no tenant set.

    Args:
        connection: a fresh session of the tenant role, in which ``guc`` was never set; it is set to ``''`` here.
        tenant_column: the column that marks a tenant table.
        guc: the setting that the policies read.

    """
    tables = await connection.fetch(_READ_POLICIES, tenant_column)
    findings = []
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}'")
        for state in ("unset", "empty"):
            if state == "empty":
                await connection.execute("SELECT set_config($1, '', false)", guc)
            findings += [
                Finding(table["qualified"], state)
                for table in tables
                if await _admits(connection, table, tenant_column)
            ]
    return findings


async def _admits(connection: Connection, table: asyncpg.Record, tenant_column: str) -> bool:
    policy = f"(({table['permissive']}))" + (f" AND ({table['restrictive']})" if table["restrictive"] else "")
    try:
        async with connection.transaction():
            return bool(
                await connection.fetchval(
                    f"SELECT ({policy}) IS TRUE FROM (SELECT (jsonb_populate_record(NULL::{table['qualified']}, "  # noqa: S608
                    f"jsonb_build_object($1::text, $2::text))).*) AS {table['name']}",
                    tenant_column,
                    _some_tenant(table["type"]),
                )
            )
    except asyncpg.PostgresError:
        # A policy that raises without a tenant shows nothing.
        return False


def _some_tenant(column_type: str) -> str:
    if column_type == "uuid":
        return "7b3a1f0e-2c4d-4e5f-8a9b-0c1d2e3f4a5b"
    return "1" if column_type in ("smallint", "integer", "bigint", "numeric") else "some-tenant"
