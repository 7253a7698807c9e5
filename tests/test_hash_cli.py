"""``interlock hash`` as a user runs it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from interlock import cli
from interlock.hashing import http_request_hash, json_hash, shell_command_hash

Outcome = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> Outcome:
    status = cli.main(["hash", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_command_is_shown_with_its_actions(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "docker  stop 'web'")
    assert status == 0
    assert "canonical  docker stop web\n" in out
    assert f"cmd_hash   {shell_command_hash('docker stop web')}\n" in out
    assert "docker stop  stop:web" in out


def test_two_spellings_of_a_command_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "rm  'a'", 'rm "a"')
    assert status == 0
    assert "same: both have the canonical form 'rm a'" in out


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("docker stop a", "docker stop b", "token 3 is 'a' in the first and 'b' in the second"),
        ("rm *", "rm '*'", "token 2 is '*'"),
        ("a; b", "a && b", "token 2 is ';' in the first and '&&' in the second"),
        ("ls", "ls -l", "token 2 is missing in the first and '-l' in the second"),
        ("if a; then b; fi", "if  a; then b; fi", "the first is kept as it is written"),
        ("echo  $10", "echo $10", "not read as shell beyond character 8"),
    ],
)
def test_the_first_difference_is_named(capsys: pytest.CaptureFixture[str], left: str, right: str, why: str) -> None:
    status, out, _ = run(capsys, left, right)
    assert status == 1
    assert f"different: {why}" in out or why in out


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("-", "it starts with - or +, which sh -c takes for an option"),
        ("echo  'a", "it is not read as shell beyond character 8"),
        ("(cd x)", "it is not read as shell beyond character 0"),
        ("set -e\nls", "a line of it can change how the next one is read"),
        ("echo  $BASH_COMMAND", "it can see how it is written"),
        ("cat <<A\nA\n" * 17, "it has more than 16 here-documents"),
        ("a " * 40_000, "it is longer than 65536 bytes"),
        ("a  " + "\\'" * 30_000, "its form would be longer than 65536 bytes"),
    ],
)
def test_a_command_that_is_kept_says_why(capsys: pytest.CaptureFixture[str], command: str, why: str) -> None:
    _, out, _ = run(capsys, "--", command)
    assert f"kept       as it is written: {why}\n" in out
    _, out, _ = run(capsys, "--json", "--", command)
    assert json.loads(out)["payloads"][0]["kept"] == why


def test_a_command_that_is_read_is_not_called_kept(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("docker stop web", "docker  stop 'web'", ""):
        assert "kept" not in run(capsys, command)[1]


def test_requests_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--kind", "http", "--json", 'post /a?b {"b":1, "a":2}')
    assert status == 0
    assert json.loads(out)["payloads"][0]["cmd_hash"] == http_request_hash("POST", "/a?b", {"a": 2, "b": 1})
    status, out, _ = run(capsys, "--kind", "json", "--json", "[1.0]", "[1]")
    result = json.loads(out)
    assert (status, result["same"], result["payloads"][0]["digest"]) == (0, True, json_hash([1]))
    status, out, _ = run(capsys, "--kind", "json", '{"a":1}', '{"a":"1"}')
    assert status == 1
    assert "token 4 is '1' in the first and '\"1\"' in the second" in out


def test_files_and_standard_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "command"
    path.write_text("ls -la\n", encoding="utf-8")
    assert run(capsys, "--file", str(path), "ls  -la")[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("ls -la\n"))
    assert shell_command_hash("ls -la") in run(capsys)[1]


@pytest.mark.parametrize(
    "words", [["--kind", "json", "[1"], ["a\0"], ["--kind", "http", "GET a"], ["--file", "/no/file"]]
)
def test_what_has_no_hash_is_an_error(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert err.startswith("interlock hash: ")
