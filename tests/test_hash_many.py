"""`hash_many`: the hashes of the one-by-one functions, in order, with the loop running meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import (
    ABSENT,
    CanonicalizationError,
    JSONText,
    database_operation_hash,
    hash_many,
    http_request_hash,
    json_hash,
    notification_hash,
    shell_command_hash,
)

value = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=4))
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
batches = st.one_of(
    st.tuples(st.just("json"), st.lists(value)),
    st.tuples(st.just("shell"), st.lists(text)),
    st.tuples(st.just("http"), st.lists(st.tuples(st.sampled_from(["get", "PUT"]), st.just("/a"), value))),
    st.tuples(st.just("database"), st.lists(st.tuples(text, value, text, value))),
    st.tuples(st.just("notification"), st.lists(st.tuples(text, text, text))),
)
ONE_BY_ONE: dict[str, Callable[..., str]] = {
    "json": json_hash,
    "shell": shell_command_hash,
    "http": http_request_hash,
    "database": database_operation_hash,
    "notification": notification_hash,
}


@given(batches)
@settings(max_examples=60, deadline=None)
def test_a_batch_hashes_as_its_payloads_do(batch: tuple[str, list[Any]]) -> None:
    kind, payloads = batch
    one = ONE_BY_ONE[kind]
    expected = [one(payload) if kind in ("json", "shell") else one(*payload) for payload in payloads]
    assert asyncio.run(hash_many(kind, payloads)) == expected


async def test_every_shape_of_a_payload() -> None:
    expected = http_request_hash("POST", "/a", {"b": [1]})
    shapes = [
        ("POST", "/a", {"b": [1]}),
        ["POST", "/a", JSONText('{"b": [1.0]}')],
        {"method": "POST", "path": "/a", "body": {"b": (1,)}},
    ]
    assert await hash_many("http", iter(shapes)) == [expected] * 3
    absent = http_request_hash("GET", "/")
    assert await hash_many("http", [("GET", "/"), ("GET", "/", ABSENT)]) == [absent] * 2
    marked = [("t", 1, "update", JSONText("[1]")), {"table": "t", "primary_key": 1, "operation": "delete"}]
    assert await hash_many("database", marked) == [
        database_operation_hash("t", 1, "update", [1]),
        database_operation_hash("t", 1, "delete"),
    ]


async def test_many_chunks_keep_their_order() -> None:
    values = [{"id": number, "name": f"n{number}"} for number in range(5000)]
    assert await hash_many("json", values) == [json_hash(value) for value in values]


@contextlib.asynccontextmanager
async def counted_turns() -> AsyncIterator[list[None]]:
    """As many elements as another task has had turns."""
    turns: list[None] = []

    async def count() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        yield turns
    finally:
        counting.cancel()


async def test_other_tasks_run_while_one_huge_payload_is_read() -> None:
    huge = [[number, "text"] for number in range(100_000)]
    async with counted_turns() as turns:
        assert await hash_many("json", [huge]) == [json_hash(huge)]
    # 300,001 values in slices of 4096.
    assert len(turns) >= 70


@pytest.mark.parametrize(
    ("kind", "payloads", "index"),
    [
        ("json", [1, {"a": {1}}], 1),
        ("json", [1, 2, JSONText("[1,")], 2),
        ("shell", ["ls", "a\0b"], 1),
        ("shell", ["ls", "\ud800"], 1),
        ("http", [("GET", "/"), ("GET", "/a b")], 1),
        ("json", [*range(3000), float("nan")], 3000),
    ],
)
async def test_an_error_names_its_payload(kind: str, payloads: list[Any], index: int) -> None:
    with pytest.raises(CanonicalizationError, match=f"^payload {index}: ") as caught:
        await hash_many(kind, payloads)
    assert caught.value.index == index


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("http", 1), ("http", ("GET",)), ("http", {"method": "GET", "path": "/", "bodi": 1}), ("shell", b"ls")],
)
async def test_a_payload_of_another_shape_is_a_type_error(kind: str, payload: Any) -> None:
    with pytest.raises(TypeError) as caught:
        await hash_many(kind, [payload])
    assert caught.value.__notes__ == ["in payload 0"]


async def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be"):
        await hash_many("yaml", [])


async def test_cancelling_leaves_nothing_behind() -> None:
    hashing = asyncio.create_task(hash_many("json", [[number] * 50 for number in range(20_000)]))
    for _ in range(5):
        await asyncio.sleep(0)
    hashing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hashing
    assert await hash_many("json", [1]) == [json_hash(1)]


class Payload(dict[str, Any]):
    """A dict that can be watched."""


async def test_payloads_are_freed_as_they_are_read_and_after_a_cancellation() -> None:
    watches: list[weakref.ref[Payload]] = []
    made = 0

    def make() -> Iterator[Payload]:
        nonlocal made
        for number in range(50_000):
            payload = Payload(id=number)
            watches.append(weakref.ref(payload))
            made += 1
            yield payload
            del payload

    hashing = asyncio.create_task(hash_many("json", make()))
    while made < 10_000:  # noqa: ASYNC110 - as many turns as it takes
        await asyncio.sleep(0)
    assert sum(watch() is not None for watch in watches) <= 1
    hashing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hashing
    assert made < 50_000
    del hashing
    await asyncio.sleep(0)  # the loop itself holds the task that has just ended
    gc.collect()
    assert not any(watch() is not None for watch in watches)


async def test_an_iterable_is_asked_while_other_tasks_run() -> None:
    seen: list[int] = []

    def make() -> Iterator[int]:
        for number in range(20_000):
            seen.append(len(turns))
            yield number

    async with counted_turns() as turns:
        assert await hash_many("json", make()) == [json_hash(number) for number in range(20_000)]
    assert len(set(seen)) >= 20


async def test_an_exception_of_the_iterable_is_its_own() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more") as caught:
        await hash_many("json", make())
    assert not hasattr(caught.value, "__notes__")
    with pytest.raises(TypeError, match="not iterable"):
        await hash_many("json", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 2048])
async def test_no_payload_is_lost_where_chunks_end(count: int) -> None:
    expected = [json_hash(number) for number in range(count)]
    for payloads in (range(count), list(range(count)), tuple(range(count)), iter(range(count))):
        assert await hash_many("json", payloads) == expected


async def test_a_list_is_taken_as_it_was() -> None:
    payloads = [[number] for number in range(5000)]
    expected = [json_hash(payload) for payload in payloads]
    hashing = asyncio.create_task(hash_many("json", payloads))
    await asyncio.sleep(0)
    payloads.clear()
    assert await hashing == expected


FORKED = """
import asyncio, os
from interlock import hash_many, json_hash
values = [[number] for number in range(3000)]
assert asyncio.run(hash_many("json", values)) == [json_hash(value) for value in values]
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(hash_many("json", values)) == [json_hash(value) for value in values] else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_hashes_too() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60)
