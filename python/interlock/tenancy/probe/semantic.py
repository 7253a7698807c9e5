"""The semantic probe: PostgreSQL itself evaluates the combined policy on a foreign row.

No data is read or written and no SQL is parsed: the predicate is PostgreSQL's own text, and so is the verdict.
Every state has a session of its own, because a setting that was once set never reads NULL again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import asyncpg

from interlock.tenancy.probe.findings import Finding, Severity, Unchecked
from interlock.tenancy.probe.policies import PREDICATES, Table
from interlock.tenancy.probe.worlds import State, foreign_rows, states

Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection]]

# What a policy may raise to refuse loudly: insufficient_privilege.
_REFUSAL = "42501"


async def probe(
    tables: list[Table], connect: Connect, role: str, tenant_column: str, guc: str
) -> AsyncIterator[Finding | Unchecked]:
    """Show every policy its foreign rows in every state.

    Args:
        tables: what to judge.
        connect: opens a fresh session, as the runtime role or as one that may ``SET ROLE`` to it.
        role: the runtime role.
        tenant_column: the column that holds the tenant.
        guc: the setting that holds the session's tenant.

    """
    by_state: dict[State, list[Table]] = defaultdict(list)
    for table in tables:
        for state in states(table, guc):
            by_state[state].append(table)
    seen: set[tuple[str, str]] = set()
    for state, concerned in by_state.items():
        try:
            connection = await connect()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield Unchecked("D07", f"no session for the state {state.label}: {type(error).__name__}")
            continue
        try:
            await _enter(connection, state, role)
            for table in concerned:
                async for finding in _judge(connection, table, state, tenant_column):
                    # The plainest state that leaks says enough: the states are in that order.
                    key = (finding.object, finding.message)
                    if key not in seen:
                        seen.add(key)
                        yield finding
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield Unchecked("D07", f"the state {state.label} broke off: {type(error).__name__}")
        finally:
            connection.terminate()


async def _enter(connection: asyncpg.Connection, state: State, role: str) -> None:
    await connection.execute("BEGIN READ ONLY")
    for name, value in state.settings:
        await connection.fetchval("SELECT set_config($1, $2, false)", name, value)
    if await connection.fetchval("SELECT current_user <> $1", role):
        quoted = await connection.fetchval("SELECT quote_ident($1)", role)
        await connection.execute(f"SET LOCAL ROLE {quoted}")


async def _judge(
    connection: asyncpg.Connection, table: Table, state: State, tenant_column: str
) -> AsyncIterator[Finding]:
    rows = list(foreign_rows(table, tenant_column))
    for label, command, written in PREDICATES:
        predicate = table.predicate(command, written=written) if label in table.granted else None
        if predicate is None:
            continue
        row, raised = await _first_true(connection, table, predicate, rows)
        kind = "WITH CHECK" if written else "USING"
        if row is not None:
            yield Finding(
                id="D08" if written else "D07",
                severity=Severity.ERROR,
                object=table.name,
                message=f"{label} {'writes' if written else 'reaches'} rows of other tenants ({kind})",
                evidence=f"{state.label}; row {json.dumps(row, default=str)}",
            )
        elif raised:
            yield Finding(
                id="D07",
                severity=Severity.INFO,
                object=table.name,
                message=f"{label} fails loudly in the policy ({kind})",
                evidence=f"{state.label}: {raised}",
            )


async def _first_true(
    connection: asyncpg.Connection, table: Table, predicate: str, rows: list[dict[str, object]]
) -> tuple[dict[str, object] | None, str]:
    """Return the first row that passes, and what the predicate raised if it did; all rows at once first."""
    # The text is PostgreSQL's own, from pg_get_expr; values travel as parameters.
    statement = (
        f"SELECT n FROM (SELECT n, (jsonb_populate_record(NULL::{table.name}, r)).* "  # noqa: S608
        f"FROM unnest($1::jsonb[]) WITH ORDINALITY AS given(r, n)) AS {table.alias} "
        f"WHERE ({predicate}) IS TRUE ORDER BY n LIMIT 1"
    )
    raised = ""
    for batch in [rows, *([row] for row in rows)]:
        await connection.execute("SAVEPOINT judged")
        try:
            found = await connection.fetchval(statement, [json.dumps(row) for row in batch])
        except asyncpg.PostgresError as error:
            await connection.execute("ROLLBACK TO judged")
            if isinstance(error, asyncpg.InterfaceError):
                raise
            if error.sqlstate != _REFUSAL:
                raised = f"{error.sqlstate} {error.args[0]}"
            continue
        if found is not None:
            return batch[int(found) - 1], ""
        if len(batch) == len(rows):
            return None, ""
    return None, raised
