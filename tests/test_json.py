"""Canonical JSON of Python values: against `rfc8785`, `json`, published vectors, and by its own laws."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import math
import os
import struct
import sys
import uuid
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import CanonicalizationError, JSONText, canonical_json, json_hash

SHARED = Path(os.environ.get("INTERLOCK_SHARED") or Path(__file__).resolve().parents[2] / "shared")
JCS = SHARED / "data" / "jcs"

SAFE = 2**53 - 1
names = st.text(max_size=12) | st.sampled_from(["\ue000", "\uffff", "\U0001f600", "\ud7ff", "", "\0", "a", "a\0"])
scalars = st.none() | st.booleans() | st.text(max_size=80)


def values(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars | numbers,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=6),
        max_leaves=25,
    )


finite = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.integers(-(10**9), 10**9).map(lambda n: n / 1000) | st.integers(-(10**6), 10**6).map(lambda n: n / 7)
any_value = values(st.integers() | finite | decimals)


@given(values(st.integers(-SAFE, SAFE) | finite.filter(lambda x: abs(x) <= SAFE) | decimals))
def test_agrees_with_rfc8785_where_numbers_are_safe(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)
    assert canonical_json(value, strict_jcs=True) == rfc8785.dumps(value)


@given(finite)
def test_strict_jcs_is_the_rfc_for_every_double(value: float) -> None:
    assert canonical_json(value, strict_jcs=True) == rfc8785.dumps(value)


@given(any_value)
def test_text_of_a_value_stands_for_the_value(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert canonical_json(JSONText(text)) == canonical_json(value)
        assert canonical_json(JSONText(text.encode())) == canonical_json(value)


@given(any_value)
def test_a_form_is_its_own_form_and_denotes_an_equal_value(value: Any) -> None:
    form = canonical_json(value)
    assert canonical_json(JSONText(form)) == form
    assert json.loads(form) == json.loads(json.dumps(value))


@given(any_value)
def test_the_hash_is_of_the_form(value: Any) -> None:
    digest = hashlib.sha256(canonical_json(value)).hexdigest()
    assert json_hash(value) == digest
    assert json_hash(value, length=12) == digest[:12]


@given(any_value, any_value)
def test_different_values_have_different_forms(left: Any, right: Any) -> None:
    # `==` merges True with 1, which JSON does not: compare with the types of leaves.
    assert (canonical_json(left) == canonical_json(right)) == (typed(left) == typed(right))


def typed(value: Any) -> Any:
    if isinstance(value, list):
        return [typed(element) for element in value]
    if isinstance(value, dict):
        return {name: typed(element) for name, element in value.items()}
    return (isinstance(value, bool), value)


def test_big_values_stream_into_the_digest() -> None:
    for value in ({"a": "x" * 200_000, "b": ["é" * 50_000] * 3}, list(range(100_000)), ["\n" * 40_000]):
        assert json_hash(value) == hashlib.sha256(canonical_json(value)).hexdigest()


# --- numbers


def jcs_numbers(static: list[int]) -> Iterator[bytes]:
    """The number chain that the RFC's author published with the SHA-256 of its first lines."""

    def line(pattern: int) -> bytes | None:
        (value,) = struct.unpack("<d", struct.pack("<Q", pattern))
        if math.isnan(value) or math.isinf(value):
            return None
        return b"%x,%b\n" % (pattern, canonical_json(value, strict_jcs=True))

    for pattern in [*static, *(0x0010000000000000 + serial for serial in range(2000))]:
        yield line(pattern) or b""
    state = bytes(32)
    while True:
        state = hashlib.sha256(state).digest()
        for pattern in struct.unpack("<4Q", state):
            if (text := line(pattern)) is not None and pattern != 0:
                yield text


@pytest.mark.skipif(not (JCS / "numbers.json").exists(), reason="the chain's seeds are not in the repository")
def test_the_number_chain_of_the_rfc() -> None:
    chain = json.loads((JCS / "numbers.json").read_text(encoding="utf-8"))
    static = [int(pattern, 16) for pattern in chain["static_u64"]]
    lines = jcs_numbers(static)
    digest = hashlib.sha256()
    written = 0
    for count, expected in sorted((int(n), h) for n, h in chain["sha256_of_first_lines"].items() if int(n) <= 100_000):
        for _ in range(count - written):
            digest.update(next(lines))
        written = count
        assert digest.copy().hexdigest() == expected, count


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (2**53 + 1, b"9007199254740993"),
        (-(2**63) - 1, b"-9223372036854775809"),
        (2**64, b"18446744073709551616"),
        (10**4299, b"1" + b"0" * 4299),
        (2.0**60, b"1152921504606846976"),
        (1e21, b"1e+21"),
        (10**21, b"1" + b"0" * 21),
        (1.0, b"1"),
        (-0.0, b"0"),
        (5e-324, b"5e-324"),
        (1e-7, b"1e-7"),
        (0.000001, b"0.000001"),
        (0.001, b"0.001"),
        (-12.5, b"-12.5"),
        (123456789.125, b"123456789.125"),
    ],
)
def test_numbers(value: float, form: bytes) -> None:
    assert canonical_json(value) == form


def test_the_interpreters_own_digit_limit_does_not_matter() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert canonical_json(10**1000) == b"1" + b"0" * 1000
    finally:
        sys.set_int_max_str_digits(limit)


def test_integer_text_keeps_its_digits_at_any_size() -> None:
    digits = "7" * 10_000
    assert canonical_json(JSONText(f"[{digits}]")) == f"[{digits}]".encode()


# --- types


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Word(enum.StrEnum):
    A = "a"


class Text(str):
    def __str__(self) -> str:
        return "not the text"


class Number(int):
    def __repr__(self) -> str:
        return "not the number"


Point = namedtuple("Point", "x y")
UTC2 = dt.timezone(dt.timedelta(hours=2, minutes=30))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, "red"),
        (Colour.PAIR, [1, 2]),
        (Word.A, "a"),
        (enum.IntEnum("N", "ONE").ONE, 1),
        (Text("abc"), "abc"),
        ({Text("k"): Number(5), Word.A: True}, {"k": 5, "a": True}),
        (Number(2**80), 2**80),
        (Point(1, [2]), [1, [2]]),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "2024-01-01T00:00:00Z"),
        (dt.datetime(2024, 1, 1, 1, 30, 0, 120_000, tzinfo=UTC2), "2023-12-31T23:00:00.120000Z"),
    ],
)
def test_values_with_one_json_form(value: Any, plain: Any) -> None:
    assert canonical_json({"v": [value]}) == canonical_json({"v": [plain]})


def test_instants_print_as_pydantic_prints_them() -> None:
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    instant = dt.datetime(2024, 1, 1, 12, 0, 0, 1500, tzinfo=dt.UTC)
    for value in (instant, instant.replace(microsecond=0), dt.date(1, 1, 1), uuid.uuid4()):
        assert canonical_json(value) == pydantic.TypeAdapter(Any).dump_json(value)


def test_uuids_of_asyncpg_are_uuids() -> None:
    protocol = pytest.importorskip("asyncpg.pgproto.pgproto", reason="asyncpg is not installed")
    assert canonical_json(protocol.UUID("0" * 31 + "7")) == canonical_json(uuid.UUID(int=7))


class Naive(dt.tzinfo):
    def utcoffset(self, _: dt.datetime | None) -> None:
        return None


CYCLE: list[Any] = []
CYCLE.append({"again": CYCLE})


class Twin(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"items": [0, 1, 2, {1, 2}]}, "$.items[3]", "type"),
        ({"two words": (b"x",)}, '$["two words"][0]', "type"),
        ({"a": {"b": [float("nan")]}}, "$.a.b[0]", "nan"),
        ([float("-inf")], "$[0]", "nan"),
        (Decimal("1.1"), "$", "type"),
        ({"m": object()}, "$.m", "type"),
        ({"t": dt.time(1)}, "$.t", "type"),
        ({"x": "\ud800"}, "$.x", "surrogate"),
        ({"x": {"\udfff": 1}}, "$.x", "surrogate"),
        ({"x": {1: 2}}, "$.x", "key"),
        ({None: 1}, "$", "key"),
        ({"x": [10**4300]}, "$.x[0]", "digits"),
        ([-(10**10_000)], "$[0]", "digits"),
        ({"when": dt.datetime(2024, 1, 1)}, "$.when", "naive"),
        ([dt.datetime(2024, 1, 1, tzinfo=Naive())], "$[0]", "naive"),
        ([dt.datetime.min.replace(tzinfo=UTC2)], "$[0]", "instant"),
        ({"a": [JSONText("1")]}, "$.a[0]", "type"),
        ({"a": {Twin("k"): 1, Twin("k"): 2}}, "$.a", "duplicate"),
        (JSONText('{"a": [1, {"b": 1, "b": 2}]}'), "$.a[1]", "duplicate"),
        (JSONText(b'["\xff"]'), "$", "syntax"),
        (JSONText("[1] x"), "$", "syntax"),
        (JSONText('"\ud800"'), "$", "surrogate"),
    ],
)
def test_what_has_no_form_is_refused_with_the_place(value: Any, path: str, reason: str) -> None:
    for function in (canonical_json, json_hash):
        with pytest.raises(CanonicalizationError) as caught:
            function(value)
        assert (caught.value.path, caught.value.reason) == (path, reason)
        assert str(caught.value).startswith(path)


def test_the_refusal_of_a_type_says_what_to_do() -> None:
    with pytest.raises(CanonicalizationError, match=r'model_dump\(mode="json"\)'):
        canonical_json(object())


def test_depth_cycles_and_unfolding_graphs_are_bounded() -> None:
    def nested(depth: int) -> Any:
        value: Any = []
        for _ in range(depth - 1):
            value = [value]
        return value

    assert canonical_json(nested(128)) == b"[" * 128 + b"]" * 128
    for value in (nested(129), nested(10_000), CYCLE):
        with pytest.raises(CanonicalizationError) as caught:
            canonical_json(value)
        assert caught.value.reason == "depth"
    graph: Any = 1
    for _ in range(100):
        graph = [graph, graph]
    with pytest.raises(CanonicalizationError) as caught:
        json_hash(graph)
    assert caught.value.reason == "values"
    for value in ("x" * (16 << 20), ["y" * (1 << 20)] * 17):
        with pytest.raises(CanonicalizationError) as caught:
            json_hash(value)
        assert caught.value.reason == "bytes"


def test_code_of_a_value_may_change_the_containers_around_it() -> None:
    container: dict[str, Any] = {}

    class Meddler(dt.tzinfo):
        def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
            container.clear()
            json_hash(["another", "payload"])
            return dt.timedelta()

        def dst(self, _: dt.datetime | None) -> None:
            return None

    container |= {"a": [dt.datetime(2024, 1, 1, tzinfo=Meddler()), "x"], "b": "y"}
    assert canonical_json(container) == b'{"a":["2024-01-01T00:00:00Z","x"],"b":"y"}'


def test_exceptions_of_a_value_are_its_own() -> None:
    class Broken(dt.tzinfo):
        def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
            raise LookupError("no such zone")

    with pytest.raises(LookupError, match="no such zone"):
        canonical_json([dt.datetime(2024, 1, 1, tzinfo=Broken())])


@pytest.mark.parametrize("length", [0, 65, -1, 10**30])
def test_a_digest_has_1_to_64_digits(length: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 64"):
        json_hash(1, length=length)


@pytest.mark.skipif(not JCS.exists(), reason="the vectors are not in the repository")
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_vectors_of_the_rfc(name: str) -> None:
    text = (JCS / "input" / f"{name}.json").read_bytes()
    expected = (JCS / "output" / f"{name}.json").read_bytes()
    assert canonical_json(JSONText(text), strict_jcs=True) == expected
    assert canonical_json(json.loads(text), strict_jcs=True) == expected


def test_marked_text_keeps_quiet_about_itself() -> None:
    marked = JSONText('{"password": "secret"}')
    assert "secret" not in repr(marked)
    assert marked == JSONText('{"password": "secret"}')
    with pytest.raises(TypeError, match="str or bytes"):
        JSONText(5)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        form = canonical_json(JSONText(text))
    except CanonicalizationError:
        return
    assert json.loads(form) == json.loads(text)
