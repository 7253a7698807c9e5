"""Opens row-level security on purpose, one policy or table at a time: a test that stays green was not testing it.

Dropping a permissive policy would deny everything and prove nothing, so a permissive policy is *opened*
(``USING (true) WITH CHECK (true)``), a restrictive one is dropped, and each table has RLS disabled in turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_POLICIES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS table_name, quote_ident(p.polname) AS policy,
       p.polpermissive AS permissive, p.polcmd::text AS command,
       pg_get_expr(p.polqual, p.polrelid) AS using_expression,
       pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression,
       (SELECT string_agg(CASE r.role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.role)) END, ', ')
        FROM unnest(p.polroles) AS r(role)) AS roles
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity ORDER BY 1, 2
"""
_TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS table_name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


@dataclass(frozen=True)
class Mutation:
    """A change to row-level security, and its undoing: SQL statements for the owner of the table."""

    name: str
    table: str
    apply: str
    restore: str


async def mutations(owner: asyncpg.Connection, *, tables: bool = True) -> list[Mutation]:
    """Every mutation of the database: each policy opened (or dropped if restrictive), then each table without RLS."""
    found = [_of_policy(row) for row in await owner.fetch(_POLICIES)]
    if tables:
        found += [_without_security(row["table_name"]) for row in await owner.fetch(_TABLES)]
    return found


@asynccontextmanager
async def applied(owner: asyncpg.Connection, mutation: Mutation) -> AsyncIterator[None]:
    """Apply a mutation for the duration of the block; the owner's connection must not be in a transaction."""
    await owner.execute(mutation.apply)
    try:
        yield
    finally:
        await owner.execute(mutation.restore)


def _of_policy(row: asyncpg.Record) -> Mutation:
    table, policy, command = row["table_name"], row["policy"], _COMMANDS[row["command"]]
    clauses = [f"CREATE POLICY {policy} ON {table} AS {'PERMISSIVE' if row['permissive'] else 'RESTRICTIVE'}"]
    clauses.append(f"FOR {command} TO {row['roles']}")
    if row["using_expression"] is not None:
        clauses.append(f"USING ({row['using_expression']})")
    if row["check_expression"] is not None:
        clauses.append(f"WITH CHECK ({row['check_expression']})")
    # ALTER POLICY cannot take a WITH CHECK away again, so the original is created anew. One simple query is one
    # transaction: there is no moment without a policy.
    drop = f"DROP POLICY IF EXISTS {policy} ON {table}"
    restore = f"{drop}; {' '.join(clauses)}"
    if not row["permissive"]:
        return Mutation(f"drop restrictive policy {policy} on {table}", table, drop, restore)
    opened = {"SELECT": "USING (true)", "DELETE": "USING (true)", "INSERT": "WITH CHECK (true)"}
    how = opened.get(command, "USING (true) WITH CHECK (true)")
    return Mutation(f"open policy {policy} on {table}", table, f"ALTER POLICY {policy} ON {table} {how}", restore)


def _without_security(table: str) -> Mutation:
    return Mutation(
        f"disable row-level security on {table}",
        table,
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    )
