"""HTTP, database and notification hashes."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import (
    ABSENT,
    CanonicalizationError,
    JSONText,
    canonical_http,
    canonical_json,
    database_operation_hash,
    http_request_hash,
    json_hash,
    notification_hash,
)

SHARED = Path(os.environ.get("INTERLOCK_SHARED") or Path(__file__).resolve().parents[2] / "shared")
CASES = SHARED / "cases" / "dedup.jsonl"

bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(bodies)
def test_a_request_is_its_line_and_its_canonical_body(body: Any) -> None:
    form = canonical_http("post", "/v1/jobs?b=2&a=1#part", body)
    assert form == b"POST /v1/jobs?b=2&a=1 " + canonical_json(body)
    assert canonical_http("POST", "/v1/jobs?b=2&a=1", JSONText(json.dumps(body))) == form
    assert http_request_hash("Post", "/v1/jobs?b=2&a=1", body) == hashlib.sha256(form).hexdigest()[:12]


def test_absent_and_empty_bodies_are_all_different() -> None:
    forms = [canonical_http("GET", "/", *body) for body in ((), (None,), (b"",), ({},), ([],), ("",), (0,), (False,))]
    assert len(set(forms)) == len(forms)
    assert forms[:3] == [b"GET /", b"GET / null", b"GET / "]
    assert canonical_http("GET", "/", ABSENT) == canonical_http("GET", "/")


def test_absent_is_one_object() -> None:
    assert copy.deepcopy(ABSENT) is ABSENT
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT
    assert repr(ABSENT) == "ABSENT"


@given(st.binary(max_size=100))
def test_bytes_are_verbatim(body: bytes) -> None:
    assert canonical_http("PUT", "/f", body) == b"PUT /f " + body


def test_large_bytes_are_digested_as_they_are() -> None:
    body = bytes(range(256)) * 4096
    expected = hashlib.sha256(b"PUT /f " + body).hexdigest()
    assert http_request_hash("PUT", "/f", body, length=64) == expected


@pytest.mark.parametrize(
    ("method", "path", "argument", "reason"),
    [
        ("", "/", "method", "method"),
        ("GET /", "/", "method", "method"),
        ("gét", "/", "method", "method"),
        ("GET\n", "/", "method", "method"),
        ("\ud800", "/", "method", "surrogate"),
        ("GET", "/a b", "path", "character"),
        ("GET", "/a\nb", "path", "character"),
        ("GET", "/\x7f", "path", "character"),
        ("GET", "a", "path", "form"),
        ("GET", "", "path", "form"),
        ("GET", "/\ud800", "path", "surrogate"),
    ],
)
def test_what_no_request_has_is_refused(method: str, path: str, argument: str, reason: str) -> None:
    with pytest.raises(CanonicalizationError) as caught:
        http_request_hash(method, path)
    assert (caught.value.path, caught.value.reason) == (argument, reason)


def test_the_place_in_a_body_is_named() -> None:
    with pytest.raises(CanonicalizationError) as caught:
        http_request_hash("POST", "/", {"items": [0, 1, 2, {1}]})
    assert caught.value.path == "$.items[3]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a%7Eb%2fc", "/a~b%2Fc"),
        ("/é", "/%C3%A9"),
        ("HTTPS://Host.Example/a", "https://host.example/a"),
        ("/a#x", "/a"),
    ],
)
def test_spellings_of_one_target(one: str, other: str) -> None:
    assert canonical_http("GET", one) == canonical_http("GET", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a%2Fb", "/a/b"),
        ("/a/", "/a"),
        ("/a/../b", "/b"),
        ("/?a=1&b=2", "/?b=2&a=1"),
        ("/%%341", "/%41"),
        ("/%4%31", "/%%341"),
        ("https://h/A", "https://h/a"),
        ("https://U@h/", "https://u@h/"),
    ],
)
def test_targets_that_stay_apart(one: str, other: str) -> None:
    assert canonical_http("GET", one) != canonical_http("GET", other)


@given(bodies, bodies)
def test_database_operations_are_canonical_json(key: Any, values: Any) -> None:
    assert database_operation_hash("t", key, "delete") == json_hash(["database", "t", key, "delete"], length=12)
    expected = json_hash(["database", "t", key, "update", values])
    assert database_operation_hash("t", key, "update", values, length=64) == expected


def test_database_values_may_be_absent_or_null() -> None:
    assert database_operation_hash("t", 1, "x") != database_operation_hash("t", 1, "x", None)
    with pytest.raises(CanonicalizationError) as caught:
        database_operation_hash("t", {"id": {1}}, "x")
    assert caught.value.path == "$.primary_key.id"
    with pytest.raises(CanonicalizationError) as caught:
        database_operation_hash("t", 1, "x", JSONText('{"a": [1,]}'))
    assert caught.value.path == "$.values.a[1]"


@given(st.text(), st.text(), st.text())
def test_notifications_are_canonical_json(recipient: str, channel: str, message: str) -> None:
    expected = json_hash(["notification", recipient, channel, message], length=12)
    assert notification_hash(recipient, channel, message) == expected


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not in the repository")
def test_cases() -> None:
    checked = 0
    for line in CASES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["kind"] in ("http_equal", "http_differ"):
            a, b = (
                canonical_http(side["method"], side["path"], JSONText(side["body"]) if side["body"] else b"")
                for side in (case["a"], case["b"])
            )
            assert (a == b) == (case["expect"] == "equal"), case["why"]
            checked += 1
    assert checked > 0
