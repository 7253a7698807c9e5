"""Source that cannot be checked is named, ``--strict`` fails on it, and nothing ends the sweep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.sweep import sources, sweep

FAULT = "def a(org_id: int = 1): pass\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


UNREADABLE = {
    "syntax error": b"def (:\n",
    "nul byte": b"x = '\0'\n",
    "not utf-8": b"x = '\xff\xfe'\n",
    "unknown encoding": b"# -*- coding: klingon -*-\n",
    "too deep for the parser": b"x = " + b"(" * 5000 + b")" * 5000,
    "too large": b"#" * (sources.MAX_BYTES + 1),
    "half a string": b"x = '''\n",
    "bad indentation": b"if x:\n\ty\n        z\n",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_checked(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.py").write_bytes(content)
    Path("app.py").write_text("x = 1\n")
    assert main(["sweep", "."]) == 0
    assert "broken.py: not checked: " in capsys.readouterr().out
    assert main(["sweep", ".", "--strict"]) == 1
    assert main(["sweep", ".", "--strict", "--regenerate-baseline"]) == 1
    assert "broken.py: not checked: " in capsys.readouterr().out


@pytest.mark.parametrize("path", ["absent.py", "absent", "empty"])
def test_a_path_that_holds_nothing(path: str) -> None:
    Path("empty").mkdir()
    assert main(["sweep", path]) == 0
    assert main(["sweep", path, "--strict"]) == 1


DEEP = {
    "attributes": "x = a" + ".b" * 1500 + "\n",
    "calls": "x = a" + ".b()" * 700 + "\n",
    "sums": "x = " + " + ".join(["'a'"] * 2500) + "\n",
    "or": "x = " + " or ".join(["a"] * 2500) + "\n",
    "nested calls": "x = " + "f(" * 90 + ")" * 90 + "\n",
    "elif": "if a:\n    pass\n" + "elif b:\n    pass\n" * 1500,
    "aliases": "".join(f"a{n} = a{n + 1}\n" for n in range(1500)) + "a0.fetch()\n",
    "own alias": "a = a\na = b\nb = a\na.fetch()\nb()\n",
    "decorators": "@d\n" * 1500 + "def f(): pass\n",
    "lambdas": "x = " + "lambda: " * 90 + "0\n",
    "functions": "".join("    " * n + f"def f{n}():\n" for n in range(90)) + "    " * 90 + "pass\n",
    "calls of calls": "".join(f"async def f{n}():\n    await f{n + 1}()\n" for n in range(700)),
    "handed on": "".join(f"async def f{n}(g):\n    await f{n + 1}(g)\n" for n in range(400)),
    "own base": "class A(B): pass\nclass B(A):\n    def f(self):\n        self.f()\n        super().f()\n",
    "chain of bases": "class A0: pass\n" + "".join(f"class A{n + 1}(A{n}): pass\n" for n in range(700)) + "A9().f()\n",
    "defaults": "def f(a=None):\n    a = a or g(a)\n    return f(a)\ndef g(b=None):\n    return g(f(b))\n",
    "scope of itself": "def s():\n    return s()\nwith s():\n    s()()\n@s\n@s()\ndef t():\n    with t() as t: pass\n",
    "scopes of scopes": "".join(f"def s{n}():\n    return s{n + 1}()\n" for n in range(1500)) + "with s0(): pass\n",
    "managers of managers": "from contextlib import contextmanager\n"
    + "".join(f"@contextmanager\ndef s{n}():\n    with s{n + 1}():\n        yield\n" for n in range(500))
    + "with s0(): pass\n",
    "decorators of decorators": "".join(f"@d{n + 1}\ndef d{n}(f):\n    return f()\n" for n in range(500)),
    "factories of factories": "".join(f"def f{n}():\n    return f{n + 1}\n" for n in range(500))
    + "f0()()()()()()()()()\n",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_depth_and_cycles_end(text: str) -> None:
    """Whatever the parser takes, the sweep does: without a RecursionError, and it sees the rest."""
    Path("deep.py").write_text(text)
    Path("app.py").write_text(FAULT)
    report = sweep(["."])
    assert [finding.rule for finding in report.findings] == ["IL107"]
    assert report.unchecked == [] or text.startswith("x = ")  # what the parser itself refuses


def test_cyclic_imports_end() -> None:
    Path("a.py").write_text("from b import *\nfrom b import x as y\nfrom c import run\n" + FAULT)
    Path("b.py").write_text("from a import *\nfrom a import y as x\n")
    Path("c.py").write_text("from d import run\n")
    Path("d.py").write_text("from c import run\nrun()\nx.fetch()\n")
    report = sweep(["."])
    assert [finding.rule for finding in report.findings] == ["IL107"]
    assert report.unchecked == []


def test_links_that_lead_round_and_nowhere() -> None:
    Path("app").mkdir()
    Path("app/main.py").write_text(FAULT)
    os.symlink("..", "app/round")
    os.symlink("main.py", "app/again.py")
    os.symlink("gone.py", "app/lost.py")
    os.symlink("self.py", "app/self.py")
    report = sweep(["."])
    assert [finding.rule for finding in report.findings] == ["IL107"]
    assert len(report.unchecked) == 2  # the lost one and the one that is itself


def test_a_file_that_vanishes_between_listing_and_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("app.py").write_text(FAULT)
    Path("temporary.py").write_text(FAULT)
    listed = sources._files

    def listing(*arguments: object) -> list[Path]:
        found = list(listed(*arguments))  # type: ignore[arg-type]
        Path("temporary.py").unlink()
        return found

    monkeypatch.setattr(sources, "_files", listing)
    report = sweep(["."])
    assert [finding.path for finding in report.findings] == ["app.py"]
    assert [gap.reason for gap in report.unchecked] == ["no such file or folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read() -> None:
    Path("closed").mkdir(mode=0o000)
    assert main(["sweep", ".", "--strict"]) == 1


def test_tests_are_left_out_and_counted() -> None:
    for name in ("test_app.py", "app_test.py", "conftest.py", "tests/app.py", "testing/deep/er.py"):
        file = Path("project", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(FAULT)
    report = sweep(["project"])
    assert (report.files, report.tests, report.findings, report.unchecked) == (0, 5, [], [])
    assert sweep(["project/test_app.py"]).findings == []
    # Below the path that was asked for: the project may itself lie in such a folder.
    assert len(sweep(["project/tests"]).findings) == 1


def test_scripts_of_one_name_are_modules_of_their_own() -> None:
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "main.py").write_text(
            "import asyncio\nasync def go():\n    await pool.fetch('x')\nasyncio.run(go())\n"
        )
    assert len(sweep(["one", "two"]).findings) == 2
    assert len(sweep(["."]).findings) == 2
    assert len(sweep([".", "one", "one/main.py"]).findings) == 2
