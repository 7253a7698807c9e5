"""The compatibility hashes against vectors, and against the algorithm run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from interlock.compat import voidforge
from interlock.errors import CanonicalizationError

SHARED = Path(os.environ.get("INTERLOCK_SHARED") or Path(__file__).resolve().parents[2] / "shared")
VECTORS = SHARED / "reference" / "vectors.json"

# The published algorithm, one JSON request a line. Text travels as arrays of code units, because JSON
# readers differ on lone surrogates; a body travels as the JSON text that the service would have parsed.
SERVER = r"""
const crypto = require('node:crypto')
const short = (text) => crypto.createHash('sha256').update(text).digest('hex').slice(0, 12)
const text = (units) => units.map((unit) => String.fromCharCode(unit)).join('')
const shell = (command) =>
  short(command.trim().replace(/\s+/g, ' ').replace(/(['"])\s+/g, '$1 '))
const http = (method, path, body) => {
  const sorted = body ? JSON.stringify(body, Object.keys(body).sort()) : ''
  return short(`${method.toUpperCase()} ${path} ${sorted}`)
}
const docker = (command) => {
  for (const verb of ['stop', 'start', 'restart', 'rm', 'kill', 'pause']) {
    const pattern = `\\bdocker\\s+(?:compose\\s+)?${verb}\\b\\s+(?:-\\S+\\s+)*([\\w.-]+)`
    const found = command.match(new RegExp(pattern, 'i'))
    if (found) return `${verb}:${found[1]}`
  }
  return null
}
const answer = (request) => {
  if (request.shell) return [shell(text(request.shell)), docker(text(request.shell))]
  return http(text(request.method), text(request.path), JSON.parse(text(request.body)))
}
const lines = require('node:readline').createInterface({ input: process.stdin })
lines.on('line', (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))
"""


class Node:
    """The algorithm in a Node process that answers one line with one line."""

    def __init__(self, executable: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([executable, "-e", SERVER], stdin=pipe, stdout=pipe, text=True)

    def ask(self, **request: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    executable = shutil.which("node")
    if executable is None:
        pytest.skip("needs Node, to run the algorithm as it was published")
    server = Node(executable)
    yield server
    server.close()


def units(text: str) -> list[int]:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(encoded[at : at + 2], "little") for at in range(0, len(encoded), 2)]


# Case tables differ between Unicode versions only for characters that the older one does not know.
known = st.characters().filter(lambda c: c.isprintable() or ord(c) < 0x3000 or c == "\ufeff")
white = st.sampled_from([*"\t\n\v\f\r \x85\xa0\u1680\u180e\u2000\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"])
surrogate = st.integers(0xD800, 0xDFFF).map(chr)
text = st.text(st.one_of(known, white, surrogate, st.sampled_from("ßŉǰΐﬁıſKİ'\"\\")), max_size=12)
fragments = st.one_of(
    white,
    text,
    st.sampled_from(
        [
            *("docker", "DOCKER", "doc\u212aer", "compose", "stop", "\u017ftop", "start", "restart", "rm"),
            *("kill", "pause", "-t", "--signal=HUP", "-", "web", "café", "a.b-c_1", ";", "&&", '"', "'"),
        ]
    ),
)
commands = st.lists(fragments, max_size=12).map("".join) | st.lists(fragments, max_size=8).map(" ".join)

names = st.sampled_from(
    ["a", "b", "1", "2", "10", "__proto__", "constructor", "toJSON", "length", "é", "\U0001f600", "\uff21"]
)
numbers = st.integers() | st.floats() | st.sampled_from([2**53 + 1, 10**21, 10**400, -0.0, 1e-7, 5e-324])
scalars = st.none() | st.booleans() | numbers | text
bodies = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | text, inner, max_size=4),
    max_leaves=12,
)


def javascript(value: Any) -> str:
    """The JSON text a client would send; Infinity and NaN, which have none, as literals that parse to it."""
    plain = json.dumps(value).replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    return plain.replace("NaN", "0")


def without_nan(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return 0
    if isinstance(value, list):
        return [without_nan(element) for element in value]
    if isinstance(value, dict):
        return {name: without_nan(element) for name, element in value.items()}
    return value


@given(command=commands)
@example(command="docker\u00a0compose\u2028stop -t 10 web")
@example(command="docker stop docker stop -x")
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_commands_hash_as_under_node(node: Node, command: str) -> None:
    assert [voidforge.shell_command_hash(command), voidforge.docker_logical_key(command)] == node.ask(
        shell=units(command)
    )


@given(method=text, path=text, body=bodies)
@example(method="ß", path="", body={"__proto__": {"a": 1}, "a": {"b": {}}, "b": [{"a": 2}]})
@example(method="", path="\ud800", body=["x", {"0": 1, "1": 2, "2": 3}, {"10": 1}])
@example(method="é", path="/", body={"\ud83d\ude00": 1, "\U0001f600": 2})
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_requests_hash_as_under_node(node: Node, method: str, path: str, body: Any) -> None:
    body = without_nan(body)
    asked = node.ask(method=units(method), path=units(path), body=units(javascript(body)))
    assert voidforge.http_request_hash(method, path, body) == asked


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not in the repository")
def test_published_vectors() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    for command, expected in vectors["shell"]:
        assert voidforge.shell_command_hash(command) == expected
    for request, expected in vectors["http"]:
        assert voidforge.http_request_hash(**request) == expected
    for command, expected in vectors["docker"]:
        assert voidforge.docker_logical_key(command) == expected


def test_the_faults_are_kept() -> None:
    assert voidforge.shell_command_hash('echo "a  b"') == voidforge.shell_command_hash('echo "a b"')
    nested = [voidforge.http_request_hash("POST", "/", {"a": {"x": x}}) for x in (1, 2)]
    assert nested[0] == nested[1]
    falsy = {voidforge.http_request_hash("POST", "/", body) for body in (None, 0, "", False, float("nan"))}
    assert len(falsy) == 1


@pytest.mark.parametrize(("body", "reason"), [({1, 2}, "type"), (b"x", "type"), ({1: 2}, "key")])
def test_what_json_parse_never_gives_is_refused(body: Any, reason: str) -> None:
    with pytest.raises(CanonicalizationError) as caught:
        voidforge.http_request_hash("POST", "/", {"a": body})
    assert caught.value.reason == reason


def test_nesting_is_bounded() -> None:
    body: list[Any] = []
    body.append(body)
    with pytest.raises(CanonicalizationError) as caught:
        voidforge.http_request_hash("POST", "/", body)
    assert caught.value.reason == "depth"
