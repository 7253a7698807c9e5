"""The synthetic rows of other tenants that a policy is shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.tenancy.probe.policies import Column, Table
from interlock.tenancy.probe.vocabulary import Vocabulary

MAX_ROWS = 256
_INTEGERS = frozenset({"smallint", "integer", "bigint", "numeric"})
_TEXTS = frozenset({"text", "character varying", "character", "bpchar", "name", "citext"})
_TIMES = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
_FOREIGN_UUID = "bbbbbbbb-0000-4000-8000-000000000002"
_NIL_UUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Tenants:
    """The tenant in the session, and tenants it is not, as text of the column's type."""

    own: str
    foreign: tuple[str, ...]


def tenants_of(column: Column) -> Tenants:
    """Ids of the type; for text also ones that a prefix, a pattern or a folded case would confuse with the own."""
    if column.type == "uuid":
        return Tenants("aaaaaaaa-0000-4000-8000-000000000001", (_FOREIGN_UUID,))
    if column.type in _INTEGERS:
        return Tenants("31001", ("31002", "3100"))
    if len(column.labels) > 1:
        return Tenants(column.labels[0], column.labels[1:])
    if column.length and column.length < len("probe_a2"):
        return Tenants("a", ("b", "A", "ab")[: 2 if column.length == 1 else 3])
    return Tenants("probe_a", ("foreign-b", "probe-a", "probe_a2", "PROBE_A"))


def foreign_rows(table: Table, tenants: Tenants) -> Iterator[dict[str, object]]:
    """Rows of other tenants: bare first, then with ever more of the columns that the policies speak of.

    A table with no tenant column may belong to the tenants through its references: these name rows that nobody has.
    """
    if table.tenant_column:
        owners: list[dict[str, object]] = [{table.tenant_column: foreign} for foreign in tenants.foreign]
    else:
        referring = (column for column in table.columns if column.name in table.references)
        owners = [{column.name: tenants_of(column).foreign[0] for column in referring}]
    decided = owners[0].keys()
    choices = {
        column.name: _values(column, table.vocabulary)
        for column in table.columns
        if column.name not in decided and table.speaks_of(column)
    }
    combinations = _growing({name: values for name, values in choices.items() if values})
    for extra in itertools.islice(combinations, MAX_ROWS // len(owners)):
        for owner in owners:
            yield {**owner, **extra}


def _growing(choices: dict[str, Sequence[object]]) -> Iterator[dict[str, object]]:
    for size in range(len(choices) + 1):
        for names in itertools.combinations(choices, size):
            for values in itertools.product(*(choices[name] for name in names)):
                yield dict(zip(names, values, strict=True))


def _values(column: Column, vocabulary: Vocabulary) -> Sequence[object]:
    if column.labels:
        return column.labels
    if column.type.endswith("[]"):
        element = Column(column.name, column.type.removesuffix("[]"), (), None)
        return [[value] for value in _values(element, vocabulary)] + [[]]
    if column.type == "boolean":
        return [True, False]
    if column.type in _TEXTS:
        return vocabulary.texts()
    if column.type in _INTEGERS or column.type in {"real", "double precision"}:
        return vocabulary.integers()
    if column.type in {"json", "jsonb"}:
        return vocabulary.documents()
    if column.type in _TIMES:
        return ["-infinity", "infinity"]
    if column.type == "uuid":
        return list(dict.fromkeys([_FOREIGN_UUID, _NIL_UUID, *(word for word in vocabulary.words if len(word) == 36)]))
    return []
