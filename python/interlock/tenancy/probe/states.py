"""The states that a session's settings can be in when a policy is asked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.tenancy.probe.policies import Table
from interlock.tenancy.probe.rows import Tenants

MAX_HOSTILE = 48
_TRUTHY = ("true", "on", "1", "yes", "admin")

NEVER_SET = "never set"
EMPTY = "empty"
TENANT_A = "tenant A"


@dataclass(frozen=True)
class State:
    """One state: what it is called, and the settings to make in a session that is in ``base``.

    ``base`` is ``NEVER_SET``, ``EMPTY`` or ``TENANT_A``. A session whose setting was once set never reads NULL again,
    so that each base has a session of its own.
    """

    base: str
    label: str
    settings: tuple[tuple[str, str], ...]


def states(table: Table, tenants: Tenants, guc: str) -> Iterator[State]:
    """Never set, empty as after a reset, tenant A, and tenant A with every other setting turned hostile."""
    yield State(NEVER_SET, f"{guc} never set", ())
    yield State(EMPTY, f"{guc} = ''", ((guc, ""),))
    yield State(TENANT_A, f"{guc} = tenant A", ((guc, tenants.own),))
    others = [name for name in table.vocabulary.settings if name != guc.lower()]
    for values in itertools.islice(_hostile(table, others, tenants), MAX_HOSTILE if others else 0):
        hostile = tuple(zip(others, values, strict=True))
        shown = ", ".join(f"{name} = '{value}'" for name, value in hostile)
        yield State(TENANT_A, f"{guc} = tenant A, {shown}", ((guc, tenants.own), *hostile))


def _hostile(table: Table, others: list[str], tenants: Tenants) -> Iterator[tuple[str, ...]]:
    """All others alike first, then each with a value of its own."""
    words = table.vocabulary.words
    claims = (
        [json.dumps(dict.fromkeys(words, value)) for value in (tenants.foreign[0], "true", *words)] if words else []
    )
    plain = list(dict.fromkeys([*_TRUTHY, tenants.foreign[0], *words]))
    for value in (*plain, *claims):
        yield (value,) * len(others)
    if 1 < len(others) <= 3:
        yield from itertools.product([*words, "true"], repeat=len(others))
