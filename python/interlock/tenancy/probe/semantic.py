"""The semantic probe: PostgreSQL itself evaluates the combined policy on a foreign row.

No data is read or written and no SQL is parsed: the predicate is PostgreSQL's own text, and so is the verdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeAlias

import asyncpg

from interlock.tenancy.probe.cases import Case
from interlock.tenancy.probe.findings import Finding, Severity, Unchecked
from interlock.tenancy.probe.floor import floor
from interlock.tenancy.probe.policies import PREDICATES
from interlock.tenancy.probe.states import EMPTY, NEVER_SET, TENANT_A, State, states

Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection]]


async def probe(
    cases: Iterable[Case], connection: asyncpg.Connection, connect: Connect, role: str, guc: str
) -> AsyncIterator[Finding | Unchecked]:
    """Show every policy its foreign rows in every state.

    Args:
        cases: what to judge.
        connection: a session in which the settings need not be fresh.
        connect: opens a fresh session, as the runtime role or as one that may ``SET ROLE`` to it.
        role: the runtime role.
        guc: the setting that holds the session's tenant.

    """
    by_state: dict[str, dict[State, list[Case]]] = {base: defaultdict(list) for base in (NEVER_SET, EMPTY, TENANT_A)}
    for case in cases:
        async with connection.transaction(readonly=True):
            await become(connection, role)
            unfit = await case.keep_what_fits(connection)
            await case.spare_what_is_shared(connection, guc)
        if unfit:
            yield unfit
        for state in states(case.table, case.tenants, guc):
            by_state[state.base][state].append(case)
    seen: set[tuple[str, str]] = set()
    for base, concerned in by_state.items():
        if not concerned:
            continue
        try:
            session = await connect()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield Unchecked("D07", f"no session for the state {base}: {type(error).__name__}")
            continue
        try:
            await session.execute("BEGIN READ ONLY")
            await become(session, role)
            async for item in judge(session, concerned, guc):
                # The plainest state that leaks says enough: the states are in that order.
                key = (item.object, item.message) if isinstance(item, Finding) else (item.id, item.reason)
                if key not in seen:
                    seen.add(key)
                    yield item
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield Unchecked("D07", f"the state {base} broke off: {type(error).__name__}")
        finally:
            session.terminate()


async def become(connection: asyncpg.Connection, role: str) -> None:
    """Go on as the runtime role until the transaction ends."""
    if await connection.fetchval("SELECT current_user <> $1", role):
        quoted = await connection.fetchval("SELECT quote_ident($1)", role)
        await connection.execute(f"SET LOCAL ROLE {quoted}")


async def judge(
    connection: asyncpg.Connection, concerned: dict[State, list[Case]], guc: str
) -> AsyncIterator[Finding | Unchecked]:
    """Judge each case in its states, one after the other in the session's transaction."""
    for state, cases in concerned.items():
        await connection.execute("SAVEPOINT state")
        try:
            for name, value in state.settings:
                await connection.fetchval("SELECT set_config($1, $2, false)", name, value)
        except asyncpg.PostgresError:
            # The role cannot bring the session into this state.
            await connection.execute("ROLLBACK TO state")
            continue
        for case in cases:
            async for item in _judge(connection, case, state, guc):
                yield item
            if case.table.ownerless and state.settings == ((guc, case.tenants.own),):
                async for item in _judge_ownerless(connection, case, guc):
                    yield item
        await connection.execute("ROLLBACK TO state")


async def _judge(
    connection: asyncpg.Connection, case: Case, state: State, guc: str
) -> AsyncIterator[Finding | Unchecked]:
    table = case.table
    verdicts: dict[tuple[str, tuple[int, ...]], tuple[str | None, str]] = {}
    for label, command, written in PREDICATES:
        predicate = table.predicate(command, written=written) if label in table.granted else None
        if predicate is None:
            continue
        shared = case.shared.get((label, written), ())
        if (predicate, shared) not in verdicts:  # one policy for all commands is judged once
            verdicts[predicate, shared] = await case.first_foreign(connection, predicate, shared)
        row, raised = verdicts[predicate, shared]
        kind = "WITH CHECK" if written else "USING"
        evidence = f"{state.label}; row {row}"
        if row is not None and case.view:
            yield Finding(
                id="D09",
                severity=Severity.ERROR,
                object=case.view,
                message=f"{label} through this view {'writes' if written else 'reaches'} rows of other tenants: "
                f"the policies of {table.name} that hold for the view's owner let it ({kind})",
                evidence=evidence,
                fix=f"ALTER VIEW {case.view} SET (security_invoker = true)",
            )
        elif row is not None:
            yield Finding(
                id="D08" if written else "D07",
                severity=Severity.ERROR,
                object=table.name,
                message=f"{label} {'writes' if written else 'reaches'} rows of other tenants ({kind})",
                evidence=evidence,
                fix=floor(table, guc, state.base),
            )
        elif raised:
            yield Finding(
                id="D07",
                severity=Severity.INFO,
                object=table.name,
                message=f"{label} fails loudly in the policy ({kind})",
                evidence=f"{state.label}: {raised}",
            )


async def _judge_ownerless(connection: asyncpg.Connection, case: Case, guc: str) -> AsyncIterator[Finding]:
    """Rows of no tenant may be shown to all, but then no tenant may write them: the others would read it."""
    table = case.table
    shown = table.predicate("r", written=False)
    if shown is None or case.view or not await case.passes_ownerless(connection, shown):
        return
    for label, command, written in PREDICATES[1:]:
        predicate = table.predicate(command, written=written) if label in table.granted else None
        if predicate is not None and await case.passes_ownerless(connection, predicate):
            yield Finding(
                id="D08" if written else "D07",
                severity=Severity.ERROR,
                object=table.name,
                message=f"{label} changes rows of no tenant, which every tenant reads",
                evidence=f"{guc} = tenant A; {table.tenant_column} NULL",
                fix=floor(table, guc, TENANT_A, label),
            )
