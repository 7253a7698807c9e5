"""The fast part of the probe, made at the start of the pools: does a policy show rows with no tenant set?"""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from interlock.tenancy.probe import policies, semantic
from interlock.tenancy.probe.cases import Case
from interlock.tenancy.probe.findings import Finding, Severity
from interlock.tenancy.probe.states import EMPTY, NEVER_SET, State, states

TIMEOUT = "5s"


async def open_without_a_tenant(connection: asyncpg.Connection, tenant_column: str, guc: str) -> list[Finding]:
    """Return what the role could read with no tenant set.

    Args:
        connection: a fresh session of the tenant role, in which ``guc`` was never set; it is set to ``''`` here.
        tenant_column: the column that marks a tenant table.
        guc: the setting that the policies read.

    """
    role = await connection.fetchval("SELECT current_user")
    concerned: dict[State, list[Case]] = {}
    found: dict[tuple[str, str], Finding] = {}
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}'")
        for table in await policies.tables(connection, role, tenant_column):
            if "SELECT" in table.granted and (table.tenant_column or table.references):
                case = Case(replace(table, granted=frozenset({"SELECT"})))
                await case.keep_what_fits(connection)
                for state in states(table, case.tenants, guc):
                    if state.base in (NEVER_SET, EMPTY):
                        concerned.setdefault(state, []).append(case)
        in_order = dict(sorted(concerned.items(), key=lambda item: item[0].base != NEVER_SET))
        async for item in semantic.judge(connection, in_order, guc):
            if isinstance(item, Finding) and item.severity is Severity.ERROR:
                found.setdefault((item.object, item.message), item)
    return list(found.values())
