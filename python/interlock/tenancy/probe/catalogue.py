"""The catalogue checks: one SQL file a check in ``checks/``, each returning findings.

A check sees ``$1`` the runtime role, ``$2`` the tenant column, ``$3`` the setting, and the relation
``tenant_tables``. It reads catalogues only, which every role may.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from interlock.tenancy.probe.findings import Finding, Severity, Unchecked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TENANT_TABLES = """
WITH given AS (SELECT $1::text, $2::text, $3::text),
tenant_tables AS (
    SELECT c.oid, c.relname, c.relnamespace, c.relowner, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
           c.relispartition, a.attnum AS tenant_attnum,
           has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS reachable
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'interlock')
)
"""


def checks() -> dict[str, str]:
    """Return check id → SQL, in order."""
    folder = resources.files(__package__) / "checks"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8") for entry in files}


async def look(
    connection: asyncpg.Connection, role: str, tenant_column: str, guc: str
) -> AsyncIterator[Finding | Unchecked]:
    """Run every check; one that fails is named and the others go on."""
    for name, text in checks().items():
        try:
            rows = await connection.fetch(
                f"{_TENANT_TABLES} SELECT * FROM ({text}) AS found",  # noqa: S608 - the text is a file of ours
                role,
                tenant_column,
                guc,
            )
        except asyncpg.PostgresError as error:
            yield Unchecked(name, f"{error.sqlstate}: {error.args[0]}")
            continue
        for row in rows:
            yield Finding(
                id=name,
                severity=Severity(row["severity"]),
                object=row["object"],
                message=row["message"],
                evidence=row["evidence"] or "",
                fix=row["fix"] or "",
            )
