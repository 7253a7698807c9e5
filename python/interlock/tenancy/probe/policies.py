"""The policies of a table as PostgreSQL combines them for one role and command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_TABLES = """
SELECT c.oid::regclass::text AS name, quote_ident(c.relname) AS alias, format_type(t.atttypid, NULL) AS tenant_type,
       (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL), 'labels',
            (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = a.atttypid)))
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT json_agg(json_build_object('name', p.polname, 'command', p.polcmd, 'permissive', p.polpermissive,
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)))
        FROM pg_policy p WHERE p.polrelid = c.oid AND (p.polroles = '{0}' OR EXISTS (
            SELECT FROM unnest(p.polroles) r WHERE r <> 0 AND pg_has_role($1, r, 'USAGE')))) AS policies,
       ARRAY(SELECT command FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) command
             WHERE has_any_column_privilege($1, c.oid, CASE command WHEN 'DELETE' THEN 'SELECT' ELSE command END)
               AND (command <> 'DELETE' OR has_table_privilege($1, c.oid, 'DELETE'))) AS granted
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = $2 AND NOT t.attisdropped
WHERE c.relrowsecurity AND c.relkind IN ('r', 'p')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'interlock')
ORDER BY 1
"""

# (label, command letter, whether the row that is written is judged)
PREDICATES = (
    ("SELECT", "r", False),
    ("UPDATE", "w", False),
    ("DELETE", "d", False),
    ("INSERT", "a", True),
    ("UPDATE", "w", True),
)


@dataclass(frozen=True)
class Policy:
    """One policy that applies to the role; ``command`` is ``*``, ``r``, ``a``, ``w`` or ``d``."""

    name: str
    command: str
    permissive: bool
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Table:
    """A table under row-level security with a tenant column."""

    name: str
    alias: str
    tenant_type: str
    columns: dict[str, str]
    labels: dict[str, list[str]]
    policies: tuple[Policy, ...]
    granted: frozenset[str]

    def expressions(self) -> str:
        """All policy text, for lifting literals and settings out of it."""
        return "\n".join(text for policy in self.policies for text in (policy.using, policy.check) if text)

    def predicate(self, command: str, *, written: bool) -> str | None:
        """Permissive policies joined by OR, restrictive ones by AND (CREATE POLICY); None: nothing passes."""
        permissive: list[str] = []
        restrictive: list[str] = []
        for policy in self.policies:
            if policy.command in ("*", command):
                text = (policy.check or policy.using) if written else policy.using
                (permissive if policy.permissive else restrictive).append(f"({text or 'true'})")
        if not permissive:
            return None
        return " AND ".join(["(" + " OR ".join(permissive) + ")", *restrictive])


async def tables(connection: asyncpg.Connection, role: str, tenant_column: str) -> list[Table]:
    """Read every table the probe can judge."""
    rows = await connection.fetch(_TABLES, role, tenant_column)
    return [_table(row) for row in rows]


def _table(row: asyncpg.Record) -> Table:
    columns = json.loads(row["columns"])
    return Table(
        name=row["name"],
        alias=row["alias"],
        tenant_type=row["tenant_type"],
        columns={column["name"]: column["type"] for column in columns},
        labels={column["name"]: column["labels"] for column in columns if column["labels"]},
        policies=tuple(Policy(**policy) for policy in json.loads(row["policies"] or "[]")),
        granted=frozenset(row["granted"]),
    )
