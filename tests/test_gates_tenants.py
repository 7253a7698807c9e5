"""With `per_tenant`, one tenant's flood never mutes another's line."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from hypothesis import given
from hypothesis import strategies as st

from interlock.gates import Gate, Gates, ManualClock
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

# Ids and keys that would be one if they were joined, or mistaken for each other.
TENANTS = st.sampled_from([None, 1, 11, "a", "a:1", "unscoped"])
SUBKEYS = st.sampled_from([None, "", "1", "11", ":1", "a", "a:1", "1\x1f1", "<unscoped>", "\0"]) | st.text(max_size=3)


def scope(tenant: int | str | None) -> AbstractContextManager[object]:
    return nullcontext() if tenant is None else tenant_scope(tenant)


def small(clock: ManualClock) -> Gate:
    return Gates(clock=clock).window("e", 2, 10, event_budget=(4, 15), per_tenant=True)


@given(st.lists(st.tuples(TENANTS, SUBKEYS, st.integers(0, 4)), max_size=80))
def test_a_tenant_is_answered_as_if_it_were_alone(calls: list[tuple[int | str | None, str | None, int]]) -> None:
    clock = ManualClock()
    together, alone = small(clock), dict[int | str | None, Gate]()
    for tenant, subkey, pause in calls:
        clock.advance(pause)
        own = alone.setdefault(tenant, small(clock))
        with scope(tenant):
            assert together.check(subkey).reason == own.check(subkey).reason


@given(st.integers(1, 64), st.integers(0, 2), st.sets(SUBKEYS, min_size=1))
def test_a_flood_that_fills_the_table_mutes_no_line_of_another(
    max_keys: int, limit: int, subkeys: set[str | None]
) -> None:
    gates = Gates(max_keys=max_keys, clock=ManualClock())
    flood = gates.window("e", limit, 60, event_budget=None, per_tenant=True)
    gate = gates.window("e", 1, 60, event_budget=(1000, 60), per_tenant=True)
    with tenant_scope("noisy"):
        for number in range(300):
            flood.allow(f"row-{number}")
            flood.allow(f"row-{number}")
    with tenant_scope("quiet"):
        assert [gate.allow(subkey) for subkey in subkeys] == [True] * len(subkeys)


def test_thousands_of_tenants_with_spent_budgets_take_nothing_from_one_another() -> None:
    gate = Gates(clock=ManualClock()).window("e", 1, 60, event_budget=(2, 60), per_tenant=True)
    for tenant in range(3000):
        with tenant_scope(tenant):
            assert [gate.allow(str(row)) for row in range(4)] == [True, True, False, False]


def test_per_tenant_one_tenants_unique_subkeys_never_mute_another() -> None:
    gates = Gates(clock=ManualClock())
    gate = gates.window("e", 2, 60, event_budget=(10, 60), per_tenant=True)
    with tenant_scope(1):
        assert sum(gate.allow(str(number)) for number in range(1000)) == 10
        assert not gate.allow("k")
    with tenant_scope(2):
        assert [gate.allow("k") for _ in range(3)] == [True, True, False]
    with tenant_scope("1"):  # the same org
        assert not gate.allow("other")
    assert [gate.allow("k") for _ in range(3)] == [True, True, False]
    with pre_org_resolution_scope("the unscoped key as well"):
        assert not gate.allow("k")
    assert {row.tenant for row in gates.drain() if row.subkey == "k"} == {"1", "2", "<unscoped>"}


def test_per_tenant_fire_once() -> None:
    gate = Gates().fire_once("e", per_tenant=True)
    with tenant_scope(1):
        assert [gate.fire(), gate.fire()] == [True, False]
    with tenant_scope(2):
        assert gate.fire()
    assert gate.fire()
