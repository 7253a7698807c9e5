"""What may be an org id, and when two are the same org."""

from __future__ import annotations

import enum
import re
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.tenancy import InvalidOrgId, TenantInvariantError, current_org_id, tenant_scope
from interlock.tenancy.scope import canonical_org_id

ALLOWED = re.compile(r"[A-Za-z0-9_.:@-]{1,128}")
UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def model(given: Any) -> str | None:
    """The definition, word for word."""
    if isinstance(given, bool) or not isinstance(given, int | str | uuid.UUID):
        return None
    if isinstance(given, int):
        text = int.__repr__(given) if given.bit_length() < 1000 else ""
    else:
        text = str.__str__(given) if isinstance(given, str) else str(given)
    if not ALLOWED.fullmatch(text):
        return None
    return text.lower() if UUID_TEXT.fullmatch(text) else text


anything = st.one_of(
    st.text(),
    st.from_regex(ALLOWED, fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_.:@-]{0,130}[\n\0 '\";/\\]?", fullmatch=True),
    st.from_regex(UUID_TEXT, fullmatch=True),
    st.text(st.characters(categories=["Cs", "Ll"])),
    st.integers(),
    st.integers(-(10**129), 10**129),
    st.uuids(),
    st.booleans(),
    st.none(),
    st.floats(),
    st.binary(),
    st.just(10**5000),
    st.builds(object),
)


@given(anything)
@example(10**127)
@example(-(10**126))
@example(10**128)
@example(-(10**127))
@example("a\n")
@example("")
@example("urn:uuid:aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa")
@example("{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}")
@example("x'; SET app.current_org_id='B")
def test_an_org_id_is_what_the_definition_says(given: Any) -> None:
    expected = model(given)
    if expected is None:
        with pytest.raises(InvalidOrgId) as refusal:
            tenant_scope(given)
        assert refusal.value.__context__ is None
        if isinstance(given, str) and len(given) > 3:
            assert given not in str(refusal.value)
        return
    assert canonical_org_id(given) == expected
    with tenant_scope(given) as scope:
        assert scope.org_text == expected
        assert current_org_id() is given


@given(anything, anything)
def test_two_ids_are_one_org_exactly_if_their_texts_are_equal(one: Any, other: Any) -> None:
    texts = (model(one), model(other))
    if None in texts:
        return
    with tenant_scope(one) as a:
        if texts[0] == texts[1]:
            with tenant_scope(other) as b:
                assert a == b
        else:
            with pytest.raises(TenantInvariantError):
                tenant_scope(other).__enter__()


@given(st.uuids(), st.integers())
def test_spellings_of_one_org(org: uuid.UUID, number: int) -> None:
    with tenant_scope(org), tenant_scope(str(org)), tenant_scope(str(org).upper()):
        for foreign in (org.hex, org.urn):
            with pytest.raises(TenantInvariantError):
                tenant_scope(foreign).__enter__()
    with tenant_scope(number), tenant_scope(str(number)):
        pass


class Tier(enum.IntEnum):
    GOLD = 7


class Name(enum.StrEnum):
    ACME = "acme"


class Shouting(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "victim"


def test_subclasses_count_by_value_and_are_given_back() -> None:
    for given_id, text in ((Tier.GOLD, "7"), (Name.ACME, "acme"), (Shouting("mine"), "mine")):
        with tenant_scope(given_id) as scope:
            assert scope.org_text == text
            assert current_org_id() is given_id


def test_an_asyncpg_uuid_is_a_uuid() -> None:
    pgproto = pytest.importorskip("asyncpg.pgproto.pgproto", reason="asyncpg is not installed")
    org = uuid.uuid4()
    with tenant_scope(org), tenant_scope(pgproto.UUID(str(org))):
        pass


def test_the_error_is_a_value_error_that_names_the_type_alone() -> None:
    with pytest.raises(ValueError, match=r"this list cannot be an org id") as refusal:
        tenant_scope(["secret"])  # type: ignore[arg-type]
    assert isinstance(refusal.value, TenantInvariantError)
    assert "secret" not in str(refusal.value)
