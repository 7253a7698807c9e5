"""Every type that a walker of Python values meets: by value, or refused with the place. Nothing is guessed."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import enum
import fractions
import gc
import json
import pathlib
import random
import time
import types
import weakref
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import CanonicalizationError, JSONText, canonical_json, hash_many, json_hash


@dataclasses.dataclass
class Order:
    number: int = 1


class One(enum.IntEnum):
    ONE = 1


class Mark(dict[str, Any]):
    """A dict that can be watched."""


REFUSED = [
    Decimal("1.10"),
    fractions.Fraction(1, 2),
    1j,
    b"bytes",
    bytearray(b"bytes"),
    memoryview(b"bytes"),
    {1, 2},
    frozenset({1}),
    range(3),
    (number for number in range(3)),
    iter([1]),
    {"a": 1}.keys(),
    {"a": 1}.values(),
    {"a": 1}.items(),
    types.MappingProxyType({"a": 1}),
    collections.ChainMap({"a": 1}),
    collections.UserDict({"a": 1}),
    collections.UserList([1]),
    collections.deque([1]),
    Order(),
    types.SimpleNamespace(a=1),
    dt.time(1),
    dt.timedelta(1),
    pathlib.PurePosixPath("/a"),
    int,
    len,
    ...,
    NotImplemented,
    object(),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_has_no_one_wire_form_is_refused(value: Any) -> None:
    with pytest.raises(CanonicalizationError, match="has no one JSON form") as caught:
        canonical_json({"a": [0, value]})
    assert (caught.value.path, caught.value.reason) == ("$.a[1]", "type")


@pytest.mark.parametrize("key", [1, 1.5, True, None, b"a", (1,), One.ONE, Decimal(1), frozenset()])
def test_keys_are_never_converted(key: Any) -> None:
    with pytest.raises(CanonicalizationError, match="JSON keys are strings") as caught:
        canonical_json({"a": [{"b": 0, key: 1}]})
    assert (caught.value.path, caught.value.reason) == ("$.a[0]", "key")


def test_a_model_goes_in_as_what_it_dumps() -> None:
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")

    class Model(pydantic.BaseModel):  # type: ignore[name-defined,misc]
        price: Decimal
        at: dt.datetime

    model = Model(price=Decimal("1.10"), at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(CanonicalizationError, match="model_dump"):
        canonical_json(model)
    assert canonical_json(model.model_dump(mode="json")) == b'{"at":"2024-01-01T00:00:00Z","price":"1.10"}'


def test_flags_and_enums_of_enums_are_their_values() -> None:
    class Flag(enum.IntFlag):
        A = 1
        B = 2

    class Inner(enum.Enum):
        X = "x"

    class Outer(enum.Enum):
        Y = Inner.X

    assert canonical_json([Flag.A | Flag.B, Outer.Y]) == b'[3,"x"]'


def test_true_is_not_one_and_one_is_one_point_zero() -> None:
    assert canonical_json([True, 1, 1.0, "1", False, 0, -0.0, None, ""]) == b'[true,1,1,"1",false,0,0,null,""]'


def test_tuples_of_structure_are_arrays() -> None:
    assert json.loads(canonical_json(time.gmtime(0))) == list(time.gmtime(0))


class Finer(dt.datetime):
    nanosecond = 0


def test_instants_finer_than_microseconds_are_refused_rather_than_merged() -> None:
    instant = Finer(2024, 1, 1, tzinfo=dt.UTC)
    assert canonical_json(instant) == b'"2024-01-01T00:00:00Z"'
    instant.nanosecond = 1
    with pytest.raises(CanonicalizationError, match="nanoseconds"):
        canonical_json(instant)


def test_one_instant_has_one_form_in_every_zone() -> None:
    instant = dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)
    zones = [dt.timezone(dt.timedelta(hours=hours)) for hours in range(-23, 24)]
    assert {canonical_json(instant.astimezone(zone)) for zone in zones} == {b'"2024-10-27T00:30:00Z"'}
    assert canonical_json(instant) != canonical_json("2024-10-27T01:30:00+01:00")


# --- code that runs while a value is walked


class Hook(dt.tzinfo):
    """A time zone that does something when it is asked."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
        self.act()
        return dt.timedelta()

    def dst(self, _: dt.datetime | None) -> None:
        return None

    def tzname(self, _: dt.datetime | None) -> None:
        return None


def test_what_a_hook_does_to_containers_that_have_begun_does_not_show() -> None:
    inner: list[Any] = []
    outer: dict[str, Any] = {}

    def clear_and_fill_memory() -> None:
        inner.clear()
        outer.clear()
        gc.collect()
        # What was freed would be overwritten by these.
        outer["junk"] = [[f"junk {number}" * 3, {f"k{number}": number}] for number in range(2000)]

    texts = [f"text {number} é" for number in range(40)] + [f"ascii {number}" for number in range(40)]
    hook = dt.datetime(2024, 1, 1, tzinfo=Hook(clear_and_fill_memory))
    expected = {f"n{number:03}": [f"value {number}", number * 1.5, {"é": number}] for number in range(50)}
    for number in range(50):
        outer[f"n{number:03}"] = [f"value {number}", number * 1.5, {"é": number}]
    inner += [*texts, hook, *[[text + "!"] for text in texts]]
    outer["m"] = inner
    form = canonical_json(outer)
    inner_form = [*texts, "2024-01-01T00:00:00Z", *[[text + "!"] for text in texts]]
    assert form == canonical_json({"m": inner_form, **expected})


def test_an_enum_may_make_its_value_anew_each_time() -> None:
    class Fresh(enum.Enum):
        A = 1

        @property
        def value(self) -> Any:
            return {f"k{number}": [f"v{number}", {"deep": (number, "é" * number)}] for number in range(30)}

    plain = {f"k{number}": [f"v{number}", {"deep": (number, "é" * number)}] for number in range(30)}
    assert canonical_json([Fresh.A, {"x": Fresh.A}]) == canonical_json([plain, {"x": plain}])


def test_the_type_of_a_bad_key_may_run_code_when_it_is_named() -> None:
    payload: dict[Any, Any] = {}

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            if name == "__qualname__":
                payload.clear()
                gc.collect()
            return super().__getattribute__(name)

    class Key(metaclass=Meta):
        pass

    payload |= {"outer" * 5: {"inner": 1, Key(): 2}}
    with pytest.raises(CanonicalizationError) as caught:
        canonical_json(payload)
    assert caught.value.path == f"$.{'outer' * 5}"


def test_a_finalizer_that_collection_runs_may_change_the_payload() -> None:
    payload: dict[str, Any] = {}

    class Cycle:
        def __del__(self) -> None:
            for text in list(payload):
                payload[text] = None

    def make() -> None:
        payload.clear()
        for number in range(20):
            payload[f"a{number:02}"] = [{f"x{number}": f"y{number}"}]
        payload["z"] = ["\ud800"]
        for _ in range(50):
            cycle = Cycle()
            cycle.me = cycle  # type: ignore[attr-defined]

    threshold = gc.get_threshold()
    for _ in range(20):
        gc.disable()
        make()
        gc.set_threshold(1)
        gc.enable()
        try:
            # Whether a finalizer has taken the bad text away before it is read is up to the collector.
            with contextlib.suppress(CanonicalizationError):
                assert canonical_json({"top": payload, "é": 1})
        finally:
            gc.set_threshold(*threshold)


def test_a_finalizer_that_collection_runs_may_free_the_name_that_is_being_refused() -> None:
    payload: dict[str, Any] = {}

    class Cycle:
        def __del__(self) -> None:
            payload.clear()

    threshold = gc.get_threshold()
    for length in range(1, 40):
        gc.disable()
        payload |= {"a" * length: 1, "b" * length + "\ud800": 2, "c" * length: 3}
        for _ in range(3):
            cycle = Cycle()
            cycle.me = cycle  # type: ignore[attr-defined]
        gc.set_threshold(1)
        gc.enable()
        try:
            # A collection before the dict is read empties it.
            with contextlib.suppress(CanonicalizationError):
                assert canonical_json({"top": payload}) == b'{"top":{}}'
        finally:
            gc.set_threshold(*threshold)


@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_hooks_that_change_containers_at_random_do_so_only_before_these_begin(seed: int) -> None:
    ours, theirs = (Meddled(random.Random(seed)) for _ in range(2))
    assert canonical_json(ours.root) == canonical_json(theirs.walk(theirs.root))


class Meddled:
    """A payload whose time zones, when asked for the first time, empty and fill some of its containers."""

    def __init__(self, choices: random.Random) -> None:
        self.choices = choices
        self.containers: list[Any] = []
        self.root = self.value(5)

    def value(self, depth: int) -> Any:
        kind = self.choices.randrange(8) if depth else self.choices.randrange(4)
        if kind < 2:
            return (
                self.choices.choice(["text", "é" * 3, "\U0001f600", 1.5, 2**70, None, True]) if kind else self.text()
            )
        if kind == 2:
            return dt.datetime(2024, 1, 1, tzinfo=Hook(self.once(self.choices.randrange(2**32))))
        size = range(self.choices.randrange(6))
        container: Any
        if kind < 6:
            container = {self.text(): self.value(depth - 1) for _ in size} if depth else {}
        else:
            container = [self.value(depth - 1) for _ in size]
            if kind == 7:
                return tuple(container)
        self.containers.append(container)
        return container

    def text(self) -> str:
        return "".join(self.choices.choices("abé\ue000\U0001f600", k=self.choices.randrange(12)))

    def once(self, seed: int) -> Any:
        """Something that happens the first time: the same for the same seed."""
        acted = False

        def act() -> None:
            nonlocal acted
            if acted:
                return
            acted = True
            choices = random.Random(seed)
            for container in choices.choices(self.containers, k=min(len(self.containers), 4)):
                container.clear()
                fresh = [f"fresh {choices.randrange(100)}" * 2 for _ in range(choices.randrange(5))]
                if isinstance(container, list):
                    container += fresh
                else:
                    container.update(dict.fromkeys(fresh, "é"))

        return act

    def walk(self, value: Any) -> Any:
        """The slow model: copies each container when it is reached, in the order of the form."""
        if isinstance(value, dict):
            members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
            return {name: self.walk(member) for name, member in members}
        if isinstance(value, (list, tuple)):
            return [self.walk(element) for element in list(value)]
        if isinstance(value, dt.datetime):
            value.utcoffset()
        return value


async def test_what_other_tasks_do_between_two_slices_does_not_show() -> None:
    rows: list[Any] = [{"id": number, "text": f"row {number}"} for number in range(30_000)]
    expected = json_hash(rows)
    hashing = asyncio.create_task(hash_many("json", [rows]))
    for _ in range(3):
        await asyncio.sleep(0)
    rows.clear()
    gc.collect()
    junk = [{"id": -number, "text": f"junk {number}"} for number in range(30_000)]
    assert await hashing == [expected]
    assert len(junk) == 30_000


def test_nothing_is_held_afterwards() -> None:
    mark = Mark(a=1)
    watch = weakref.ref(mark)
    payload = {"m": [mark, "é", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], "bad": Decimal(1)}
    with pytest.raises(CanonicalizationError):
        canonical_json(payload)
    del payload["bad"]
    json_hash(payload)
    del payload, mark
    gc.collect()
    assert watch() is None


def test_huge_texts_and_integers_are_refused_before_they_are_copied() -> None:
    for value, reason in [("x" * (17 << 20), "bytes"), (1 << 2_000_000, "digits"), (-(10**10_000), "digits")]:
        with pytest.raises(CanonicalizationError) as caught:
            json_hash({"a": value})
        assert (caught.value.path, caught.value.reason) == ("$.a", reason)


def test_a_comma_too_many_is_a_fault_of_the_object() -> None:
    for text, path in [('{"a":1,}', "$"), ('{"a":[{"b":1,}]}', "$.a[0]"), ('{"a":1 "b":2}', "$"), ("[1,]", "$[1]")]:
        with pytest.raises(CanonicalizationError) as caught:
            canonical_json(JSONText(text))
        assert (caught.value.path, caught.value.reason) == (path, "syntax")
