"""The catalogue checks: one SQL file a check in ``checks/``, each returning findings.

A check sees ``$1`` the runtime role, ``$2`` the tenant column, ``$3`` the setting, and what ``relations.sql`` names.
It reads catalogues only, which every role may.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from interlock.tenancy.probe.findings import Finding, Severity, Unchecked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FOLDER = resources.files(__package__)


def checks() -> dict[str, str]:
    """Return check id → SQL, in order."""
    files = (entry for entry in (_FOLDER / "checks").iterdir() if entry.name.endswith(".sql"))
    return {
        entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
        for entry in sorted(files, key=lambda entry: entry.name)
    }


async def ask(
    connection: asyncpg.Connection, text: str, role: str, tenant_column: str, guc: str
) -> list[asyncpg.Record]:
    """Run a query over ``relations.sql``; every name in the answer is qualified."""
    relations = (_FOLDER / "relations.sql").read_text(encoding="utf-8")
    async with connection.transaction(readonly=True):
        await connection.execute("SET LOCAL search_path = pg_catalog")
        return await connection.fetch(f"{relations} {text}", role, tenant_column, guc)


async def look(
    connection: asyncpg.Connection, role: str, tenant_column: str, guc: str
) -> AsyncIterator[Finding | Unchecked]:
    """Run every check; one that fails is named and the others go on."""
    for name, text in checks().items():
        try:
            # The text is a file of ours.
            rows = await ask(connection, f"SELECT * FROM ({text}) AS found", role, tenant_column, guc)  # noqa: S608
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield Unchecked(name, f"{type(error).__name__}: {error}")
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
