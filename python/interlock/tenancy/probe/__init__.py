"""The doctor: what in a live database would let one tenant see another.

Catalogue checks, and a semantic probe in which PostgreSQL itself evaluates the policies of the runtime role on rows
of other tenants. Nothing is changed, and no row of yours is read. For a general linter of policies see ``pgrls``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg

from interlock.tenancy.probe import catalogue, policies, semantic
from interlock.tenancy.probe.cases import Case
from interlock.tenancy.probe.findings import Finding, Report, Severity, Unchecked
from interlock.tenancy.probe.per_row import per_row_calls

if TYPE_CHECKING:
    from interlock.tenancy import TenantPools

__all__ = ["Finding", "Report", "Severity", "Unchecked", "run"]


async def run(
    target: TenantPools | str,
    *,
    role: str | None = None,
    tenant_column: str = "org_id",
    guc: str = "app.current_org_id",
    **connect_options: Any,
) -> Report:
    """Check a database.

    Args:
        target: the pools of a service, or a DSN of the runtime role or of one that may ``SET ROLE`` to it.
        role: the runtime role, if the DSN is another's.
        tenant_column: the column that holds the tenant; taken from the pools when they are given.
        guc: the setting that holds the session's tenant; taken from the pools when they are given.
        connect_options: more arguments for ``asyncpg.connect``; those of the pools hold already.

    Raises:
        OSError, asyncpg.PostgresError: the first connection could not be made. Later failures are in the report.

    """
    options: dict[str, Any] = {"timeout": 10, "command_timeout": 30}
    opener = asyncpg.connect
    if isinstance(target, str):
        dsn = target
    else:
        plan = target.plan
        dsn, tenant_column, guc = plan.tenant_dsn, plan.tenant_column, plan.guc
        options |= plan.connect_options
        opener = plan.tenant_options.get("connect") or opener
    options |= connect_options

    async def connect() -> asyncpg.Connection:
        return await opener(dsn, **options)

    connection = await connect()
    try:
        report = await _look(connection, connect, role, tenant_column, guc)
    finally:
        connection.terminate()
    report.findings.sort(key=lambda finding: finding.order)
    return report


async def _look(
    connection: asyncpg.Connection, connect: semantic.Connect, role: str | None, tenant_column: str, guc: str
) -> Report:
    [known] = await connection.fetch(
        "SELECT coalesce($1, current_user) AS role, current_database() AS database, pg_backend_pid() AS pid, "
        "EXISTS (SELECT FROM pg_roles WHERE rolname = coalesce($1, current_user)) AS exists",
        role,
    )
    report = Report(role=known["role"], database=known["database"])
    if not known["exists"]:
        report.unchecked.append(Unchecked("D01", f"there is no role {role}"))
        return report
    _note_pooler(report, connection.get_server_pid() != known["pid"])
    try:
        async for item in catalogue.look(connection, report.role, tenant_column, guc):
            _add(report, item)
        report.checked += len(catalogue.checks()) + 1
        tables = await policies.tables(connection, report.role, tenant_column)
        for finding in per_row_calls(tables):
            _add(report, finding)
        cases = [Case(table) for table in tables if table.granted]
        cases += await _behind_views(connection, report.role, tenant_column, guc)
        async for item in semantic.probe(cases, connection, connect, report.role, guc):
            _add(report, item)
        report.checked += 3
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        report.unchecked.append(Unchecked("D07", f"the connection broke off: {type(error).__name__}"))
    return report


async def _behind_views(connection: asyncpg.Connection, role: str, tenant_column: str, guc: str) -> list[Case]:
    """Tables that a view reads with the rights of an owner whom the policies do hold."""
    reads = await catalogue.ask(
        connection, "SELECT view, table_name, owner FROM views WHERE NOT skips ORDER BY 1, 2", role, tenant_column, guc
    )
    cases = []
    for owner in {read["owner"] for read in reads}:
        tables = {table.name: table for table in await policies.tables(connection, owner, tenant_column)}
        cases += [
            Case(replace(tables[read["table_name"]], granted=frozenset({"SELECT"})), read["view"])
            for read in reads
            if read["owner"] == owner
        ]
    return cases


def _add(report: Report, item: Finding | Unchecked) -> None:
    if isinstance(item, Finding):
        report.findings.append(item)
    else:
        report.unchecked.append(item)


def _note_pooler(report: Report, pooled: bool) -> None:
    if pooled:
        report.findings.append(
            Finding(
                id="D30",
                severity=Severity.WARNING,
                object="the connection",
                message="there is a pooler between here and the server: settings of a session reach other clients",
                evidence="the process that answers is not the one that was announced",
            )
        )
