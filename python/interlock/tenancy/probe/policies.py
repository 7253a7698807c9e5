"""The policies of a table as PostgreSQL combines them for one role and command."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING

from interlock.tenancy.probe.vocabulary import Vocabulary

if TYPE_CHECKING:
    import asyncpg

# (label, command letter, whether the row that is written is judged)
PREDICATES = (
    ("SELECT", "r", False),
    ("UPDATE", "w", False),
    ("DELETE", "d", False),
    ("INSERT", "a", True),
    ("UPDATE", "w", True),
)

_IDS = frozenset({"uuid", "integer", "bigint"})


@dataclass(frozen=True)
class Policy:
    """One policy that applies to the role; ``command`` is ``*``, ``r``, ``a``, ``w`` or ``d``."""

    name: str
    command: str
    permissive: bool
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Column:
    """A column: the type beneath its domains, an enum's labels, and the length of a ``varchar(n)``."""

    name: str
    type: str
    labels: tuple[str, ...]
    length: int | None


@dataclass(frozen=True)
class Table:
    """A table under row-level security.

    Attributes:
        name: qualified and quoted.
        alias: the name by which its policies speak of it.
        tenant_column: "" where the table has none.
        tenant_sql: the same, quoted.
        tenant_type: of the tenant column, as it was declared.
        ownerless: whether the tenant column may be NULL.
        references: columns of foreign keys that lead to tenant tables.
        owned_through: the condition that the rows referred to can be seen, as SQL; "" without references.
        granted: commands that the role may use.
        source: the bodies of the functions that the policies call.

    """

    name: str
    alias: str
    tenant_column: str
    tenant_sql: str
    tenant_type: str
    ownerless: bool
    references: frozenset[str]
    owned_through: str
    columns: tuple[Column, ...]
    policies: tuple[Policy, ...]
    granted: frozenset[str]
    source: str

    @cached_property
    def _text(self) -> str:
        texts = [text for policy in self.policies for text in (policy.using, policy.check) if text]
        return "\n".join([*texts, self.source])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The settings and literals of the policies and of what they call."""
        return Vocabulary.of(self._text)

    def speaks_of(self, column: Column) -> bool:
        """Whether a policy, or a function that one calls, names the column."""
        return re.search(rf"(?<!\w){re.escape(column.name)}(?!\w)", self._text) is not None

    @property
    def tenant(self) -> Column:
        """The column that says whose a row is; where there is none, one like it that the policies speak of."""
        named = {self.tenant_column} if self.tenant_column else self.references
        candidates = [column for column in self.columns if column.name in named]
        candidates += [column for column in self.columns if column.type in _IDS and self.speaks_of(column)]
        return next(iter(candidates), Column("", "text", (), None))

    def is_foreign(self, own: str) -> str:
        """SQL that is true for rows of other tenants than ``own``, an expression of type text."""
        if not self.tenant_column:
            return f"{own} IS NOT NULL"
        return f"{self.alias}.{self.tenant_sql} IS DISTINCT FROM ({own})::{self.tenant_type}"

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
    """Read every table under row-level security, with the policies that hold for ``role``."""
    text = (resources.files(__package__) / "policies.sql").read_text(encoding="utf-8")
    async with connection.transaction(readonly=True):
        # Every name that PostgreSQL writes is then qualified.
        await connection.execute("SET LOCAL search_path = pg_catalog")
        rows = await connection.fetch(text, role, tenant_column)
    return [_table(row, tenant_column) for row in rows]


def _table(row: asyncpg.Record, tenant_column: str) -> Table:
    columns = [
        Column(known["name"], known["type"], tuple(known["labels"] or ()), known["length"])
        for known in json.loads(row["columns"])
    ]
    return Table(
        name=row["name"],
        alias=row["alias"],
        tenant_column=tenant_column if row["tenant_type"] else "",
        tenant_sql=row["tenant_sql"],
        tenant_type=row["tenant_type"] or "",
        ownerless=row["ownerless"],
        references=frozenset(row["referring"]),
        owned_through=row["owned_through"] or "",
        columns=tuple(columns),
        policies=tuple(Policy(**policy) for policy in json.loads(row["policies"] or "[]")),
        granted=frozenset(row["granted"]),
        source="\n".join(row["sources"]),
    )
