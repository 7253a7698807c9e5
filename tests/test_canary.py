"""The canary binding: what is planted is found, and out-of-range parts are refused."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock._native import encode_canary, scan_canaries
from interlock.errors import CanaryRangeError
from interlock.testing.exchange import Response

PARTS = st.tuples(st.integers(0, 2**20 - 1), st.integers(0, 1023), st.integers(0, 1023), st.integers(0, 2**20 - 1))


@given(PARTS)
def test_what_is_planted_is_found(parts: tuple[int, int, int, int]) -> None:
    (hit,) = scan_canaries(b'{"name": "' + encode_canary(*parts).encode() + b'"}')
    assert (hit.org, hit.endpoint, hit.field, hit.serial) == parts
    assert (hit.encoding, hit.start) == ("raw", 10)


def test_a_part_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CanaryRangeError) as caught:
        encode_canary(1, 1024, 0, 0)
    assert (caught.value.part, caught.value.value, caught.value.maximum) == ("endpoint", 1024, 1023)


def archive(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("inner.txt", text)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, lambda token: token),
        ({}, lambda token: base64.b64encode(b"id=" + token)),
        ({"content-encoding": "gzip"}, gzip.compress),
        ({}, gzip.compress),
        ({}, archive),
        ({"content-encoding": "gzip"}, lambda token: gzip.compress(token * 50)[:-12]),
    ],
    ids=["raw", "base64", "gzip", "gzip without header", "zip", "cut gzip stream"],
)
def test_a_token_surfaces_in_every_kind_of_body(headers: dict[str, str], body: object) -> None:
    token = encode_canary(7, 1, 2, 3).encode()
    response = Response(200, tuple(headers.items()), body(token))  # type: ignore[operator]
    assert 7 in {hit.org for _, text in response.surfaces() for hit in scan_canaries(text)}


def test_a_token_surfaces_in_headers_and_logs() -> None:
    token = encode_canary(7, 1, 2, 3)
    response = Response(204, (("location", f"/people/{token}"),), logs=(f"created {token}",))
    assert [surface for surface, text in response.surfaces() if scan_canaries(text)] == [
        "header location",
        "log record",
    ]
