"""The states a session's settings can be in, and the foreign rows a policy is shown."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.tenancy.probe.policies import Table

MAX_ROWS = 128
MAX_HOSTILE = 24
_SETTING = re.compile(r"current_setting\('([^']+)'")
_LITERAL = re.compile(r"'((?:[^']|'')*)'::(?!regclass)")
_NUMBER = re.compile(r"(?<![\w.'])(-?\d+)(?![\w.'])")
_TRUTHY = ("true", "on", "1", "t", "yes", "admin")


@dataclass(frozen=True)
class Tenants:
    """The tenant in the session, and tenants it is not, as text of the column's type."""

    own: str
    foreign: tuple[str, ...]


def tenants_of(column_type: str) -> Tenants:
    """Two ids of the type; for text also one that a prefix or a pattern would confuse with the first."""
    if column_type == "uuid":
        return Tenants("aaaaaaaa-0000-4000-8000-000000000001", ("bbbbbbbb-0000-4000-8000-000000000002",))
    if column_type in {"smallint", "integer", "bigint", "numeric"}:
        return Tenants("31001", ("31002", "3100"))
    own = "probe_a"
    return Tenants(own, ("foreign-b", "probe-a", "probe_a2", "PROBE_A"))


@dataclass(frozen=True)
class State:
    """Settings of a session; ``None`` stands for never set, which only a fresh session can show."""

    label: str
    settings: tuple[tuple[str, str], ...]


def states(table: Table, guc: str) -> list[State]:
    """Never set, empty as after a reset, tenant A, and tenant A with every other setting turned hostile."""
    own = tenants_of(table.tenant_type)
    text = table.expressions()
    others = sorted(set(_SETTING.findall(text)) - {guc})
    found = [
        State(f"{guc} never set", ()),
        State(f"{guc} = ''", ((guc, ""),)),
        State(f"{guc} = tenant A", ((guc, own.own),)),
    ]
    if others:
        values = dict.fromkeys([*_TRUTHY, *own.foreign[:1], *literals(text)])
        for value in itertools.islice(values, MAX_HOSTILE):
            hostile = tuple((other, value) for other in others)
            shown = ", ".join(f"{other} = '{value}'" for other in others)
            found.append(State(f"{guc} = tenant A, {shown}", ((guc, own.own), *hostile)))
    return found


def foreign_rows(table: Table, tenant_column: str) -> Iterator[dict[str, object]]:
    """Rows of other tenants: bare, with each boolean, and with the literals that the policies compare with."""
    text = table.expressions()
    choices: dict[str, list[object]] = {}
    for column, kind in table.columns.items():
        if column == tenant_column or not re.search(rf"\b{re.escape(column)}\b", text):
            continue
        values = _values(kind, table.labels.get(column), text)
        if values:
            choices[column] = [None, *values]
    made = 0
    for foreign in tenants_of(table.tenant_type).foreign:
        for combination in itertools.product(*choices.values()):
            if made >= MAX_ROWS:
                return
            made += 1
            extra = {name: value for name, value in zip(choices, combination, strict=True) if value is not None}
            yield {tenant_column: foreign, **extra}


def literals(text: str) -> list[str]:
    """The string literals of policy text, each once."""
    return list(dict.fromkeys(found.replace("''", "'") for found in _LITERAL.findall(text)))


def _values(kind: str, labels: list[str] | None, text: str) -> Sequence[object]:
    if kind == "boolean":
        return [True, False]
    if labels:
        return labels
    if kind in {"text", "character varying", "character", "name", "citext"}:
        return [value for value in literals(text) if value][:8]
    if kind in {"smallint", "integer", "bigint", "numeric"}:
        return [int(value) for value in dict.fromkeys(_NUMBER.findall(text))][:8]
    return []
