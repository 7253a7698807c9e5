"""What a sweep prints and keeps: formats, baseline, suppressions, exit status, the hook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main
from interlock.errors import SweepError
from interlock.sweep import RULES, sweep

ROOT = Path(__file__).resolve().parents[1]
FAULT = "def a(org_id: int = 1): pass\n"
SERVICE = """
from fastapi import FastAPI
async def read(pool):
    return await pool.fetch("SELECT 1")
async def start():
    await read(app.state.pool)
app = FastAPI(on_startup=[start])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rules_in(text: str) -> list[str]:
    Path("app.py").write_text(text)
    report = sweep(["."])
    assert not report.unchecked
    return [finding.rule for finding in report.findings]


def test_the_command_as_a_process() -> None:
    Path("app.py").write_text(SERVICE)
    command = [sys.executable, "-c", "import sys, interlock.cli; sys.exit(interlock.cli.main())", "sweep", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "app.py:4:18: IL101 fetch() runs with no scope: wrap it in `with pre_org_resolution_scope(" in done.stdout
    assert "via app.start (on_startup=) → app.read" in done.stdout
    assert (
        "1 findings in 1 files; 0 suppressed, 0 in the baseline, 0 tests left out, 0 files not checked" in done.stdout
    )


@pytest.mark.parametrize(
    "text",
    [
        "def a(org_id: int = 1): pass  # interlock: ok single-tenant build\n",
        "# interlock: ok single-tenant build\ndef a(org_id: int = 1): pass\n",
        "def a(  # interlock: ok single-tenant build\n    user,\n    org_id: int = 1,\n): pass\n",
        "# interlock: ok: single-tenant build\n@decorated(\n    1,\n)\ndef a(\n    org_id: int = 1,\n): pass\n",
        "x = (\n    request.org_id\n    or\n    1  # interlock: ok single-tenant build\n)\n",
        "# interlock: ok single-tenant build\nx = call(\n    first,\n    request.org_id or 1,\n)\n",
    ],
    ids=["same line", "line above", "head of a statement", "decorators", "end of a statement", "above a statement"],
)
def test_a_suppression_with_a_reason(text: str) -> None:
    assert rules_in(text) == []
    assert rules_in(re.sub(r"# interlock: .*", "# a comment", text)) == ["IL107"]


@pytest.mark.parametrize(
    "text",
    [
        "def a(org_id: int = 1): pass  # interlock: ok\n",
        "def a(org_id: int = 1): pass  # interlock: okay then\n",
        "def a(org_id: int = 1): '# interlock: ok a string'\n",
        "# interlock: ok another line\n\ndef a(org_id: int = 1): pass\n",
        "def a(org_id: int = 1):\n    pass  # interlock: ok in the body\n",
        "class A:  # interlock: ok the class\n    name = ''\n    org_id: int = 1\n",
    ],
    ids=["no reason", "another word", "in a string", "too far above", "in the body", "a class is no statement"],
)
def test_no_suppression(text: str) -> None:
    assert rules_in(text) == ["IL107"]


def test_the_baseline_keeps_old_findings_apart_and_survives_moved_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code = Path("app.py")
    code.write_text(FAULT)
    assert main(["sweep", ".", "--regenerate-baseline"]) == 0
    code.write_text("\n\n\n" + FAULT)
    assert main(["sweep", "."]) == 0
    assert "1 in the baseline" in capsys.readouterr().out
    code.write_text(FAULT + "def b(org_id: int = 1): pass\n")
    assert main(["sweep", "."]) == 1
    assert "app.py:2:21: IL107" in capsys.readouterr().out
    code.write_text(FAULT + FAULT)  # a second copy is new
    assert main(["sweep", "."]) == 1


def test_the_baseline_of_one_rule_leaves_the_others_in_it() -> None:
    Path("app.py").write_text(FAULT + SERVICE)
    assert main(["sweep", ".", "--regenerate-baseline"]) == 0
    assert main(["sweep", ".", "--select", "IL101", "--regenerate-baseline"]) == 0
    assert main(["sweep", "."]) == 0


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [1]}']
)
def test_a_broken_baseline_is_wrong_use(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("known.json").write_text(content)
    Path("app.py").write_text("")
    assert main(["sweep", ".", "--baseline", "known.json"]) == 2
    assert "known.json" in capsys.readouterr().err


def test_json_and_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    Path("app.py").write_text(FAULT)
    Path("test_app.py").write_text(FAULT)
    assert main(["sweep", ".", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["files"], document["tests"], document["findings"][0]["rule"]) == (1, 1, "IL107")
    assert main(["sweep", ".", "--select", "IL999"]) == 2
    assert main(["sweep", ".", "--baseline", "absent.json"]) == 2
    with pytest.raises(SweepError):
        sweep(["."], rules={"IL999"})


def sarif(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    main(["sweep", ".", "--format", "sarif", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == "2.1.0"
    assert document["$schema"].startswith("https://")
    [run] = document["runs"]
    return dict(run)


def test_sarif_has_what_the_schema_and_code_hosts_require(capsys: pytest.CaptureFixture[str]) -> None:
    (Path("a folder")).mkdir()
    Path("a folder/app.py").write_text(SERVICE)
    Path("broken.py").write_text("def (:\n")
    run = sarif(capsys)
    driver = run["tool"]["driver"]
    assert driver["name"] == "interlock sweep"
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        assert all(rule[part]["text"] for part in ("shortDescription", "fullDescription", "help"))
        assert rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] == "error"
    assert run["results"]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"]
        [flow] = result["codeFlows"]
        [thread] = flow["threadFlows"]
        for place in (*result["locations"], *(step["location"] for step in thread["locations"])):
            physical = place["physicalLocation"]
            assert physical["artifactLocation"] == {"uri": "a%20folder/app.py", "uriBaseId": "%SRCROOT%"}
            assert physical["region"]["startLine"] >= 1
            assert physical["region"]["startColumn"] >= 1
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "broken.py" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    names = [
        step["location"]["message"]["text"]
        for step in run["results"][-1]["codeFlows"][0]["threadFlows"][0]["locations"]
    ]
    assert names[:2] == ["a folder.app.start (on_startup=)", "a folder.app.read"]


def test_sarif_marks_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    Path("app.py").write_text(FAULT)
    assert main(["sweep", ".", "--regenerate-baseline"]) == 0
    Path("app.py").write_text(
        FAULT + FAULT.replace("1", "2") + "# interlock: ok because\n" + FAULT.replace("a(", "c(")
    )
    results = sarif(capsys)["results"]
    assert [result.get("baselineState") for result in results] == ["new", "unchanged", None]
    assert results[2]["suppressions"] == [{"kind": "inSource"}]


def test_columns_are_characters() -> None:
    Path("app.py").write_text('"é"; org_id = request.org_id or 1\n', encoding="utf-8")
    Path("latin.py").write_bytes('# -*- coding: latin-1 -*-\n"é"; org_id = request.org_id or 1\n'.encode("latin-1"))
    assert [(finding.line, finding.column) for finding in sweep(["."]).findings] == [(1, 15), (2, 15)]


def test_the_hook_runs_what_it_says() -> None:
    hook = dict(re.findall(r"^[- ] (\w+): (.*)$", (ROOT / ".pre-commit-hooks.yaml").read_text(), re.MULTILINE))
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("interlock-sweep", "python", "false")
    command, *entry = hook["entry"].split()
    assert command == "interlock"  # the console script of the package
    arguments = [*entry, *json.loads(hook["args"])]
    Path("app.py").write_text("")
    assert main(arguments) == 0
    Path("app.py").write_text(FAULT)
    assert main(arguments) == 1
