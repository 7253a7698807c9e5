"""Canonical JSON of containers that other threads change: what is written is what a container held at one moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from interlock.hashing import canonical_json, json_hash

# Not ASCII, so that its UTF-8 is made when it is first asked for, by all threads at once.
NAME = "ключ-"


def test_a_dict_and_a_list_that_other_threads_change() -> None:
    whole: dict[str, Any] = {f"{NAME}{number}": [number, f"текст {number}"] for number in range(40)}
    legal = {
        canonical_json({"list": []} | {name: whole[name] for name in list(whole)[:length]}) for length in (39, 40)
    }
    shared: dict[str, Any] = {"list": [], **whole}
    last = list(whole)[-1]
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            value = shared.pop(last)
            shared[last] = [*value]
            shared["list"] = []

    def read() -> set[bytes]:
        return {canonical_json(shared) for _ in range(100)}

    with ThreadPoolExecutor(4) as pool:
        changing = pool.submit(change)
        reading = [pool.submit(read) for _ in range(3)]
        found = set().union(*(reader.result() for reader in reading))
        done.set()
        changing.result()
    assert found <= legal


def test_names_whose_utf8_many_threads_ask_for_at_once() -> None:
    start = threading.Barrier(4)

    def hash_with(values: list[dict[str, int]]) -> list[str]:
        start.wait()
        return [json_hash(value) for value in values]

    fresh = [{"".join([NAME, str(number)]): number for number in range(50)} for _ in range(50)]
    expected = json_hash({f"{NAME}{number}": number for number in range(50)})
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(hash_with, fresh) for _ in range(4)]]
    assert all(answer == [expected] * 50 for answer in answers)
