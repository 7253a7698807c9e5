"""SQL that mends an open policy, whatever its shape: a restrictive floor beneath it."""

from __future__ import annotations

from interlock.tenancy.probe.policies import Table
from interlock.tenancy.probe.states import TENANT_A


def floor(table: Table, guc: str, base: str, command: str = "ALL") -> str:
    """Return the policy that lets through only rows of the session's tenant; "" where nothing tells whose a row is.

    A restrictive policy is joined by AND to all others (CREATE POLICY), so that they need not be understood.
    """
    setting = guc.replace("'", "''")
    tenant = f"(SELECT nullif(current_setting('{setting}', true), ''))"
    if table.tenant_column:
        rule = f"{table.tenant_sql} = {tenant}::{table.tenant_type}"
    elif table.owned_through:
        rule = table.owned_through
    elif base != TENANT_A:
        rule = f"{tenant} IS NOT NULL"
    else:
        return ""
    clause = "WITH CHECK" if command == "INSERT" else "USING"
    name = "interlock_floor" if command == "ALL" else f"interlock_floor_{command.lower()}"
    return f"CREATE POLICY {name} ON {table.name} AS RESTRICTIVE FOR {command} {clause} ({rule})"
