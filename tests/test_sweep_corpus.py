"""The sweep on small projects as people write them: ``sweep_corpus/<rule>/{bad,good}_*.py``.

A bad one has findings of its rule and of no other; a good one has none. A file with ``# --- path`` lines is several.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interlock.sweep import RULES, Report, sweep

CORPUS = Path(__file__).parent / "sweep_corpus"
CASES = sorted(CORPUS.rglob("*.py"))
PART = re.compile(r"^# --- (\S+)$", re.MULTILINE)
WRAPPERS = re.compile(
    r"tenant_scope|pre_org_resolution_scope|create_tenant_pools|TenantMiddleware|interlock\.(web|gates)|transaction\(\)"
)


def swept(case: Path, folder: Path) -> Report:
    head, *parts = PART.split(case.read_text(encoding="utf-8"))
    files = dict(zip(parts[::2], parts[1::2], strict=True)) or {"app.py": head}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sweep([folder])


def identity(case: Path) -> str:
    return case.relative_to(CORPUS).with_suffix("").as_posix()


@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith("bad_")], ids=identity)
def test_is_found(case: Path, tmp_path: Path) -> None:
    report = swept(case, tmp_path)
    assert {finding.rule for finding in report.findings} == {case.parent.name}
    for finding in report.findings:
        assert finding.trail, "a finding names the path to it"
        assert WRAPPERS.search(finding.message), "a finding names what would mend it"


@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith("good_")], ids=identity)
def test_is_silent(case: Path, tmp_path: Path) -> None:
    report = swept(case, tmp_path)
    assert report.findings == []
    assert report.unchecked == []


def test_every_rule_has_bad_and_good_projects_and_a_page() -> None:
    for prefix in ("bad_", "good_"):
        assert {case.parent.name for case in CASES if case.name.startswith(prefix)} == set(RULES)
    assert all(case.name.startswith(("bad_", "good_")) for case in CASES)
    pages = Path(__file__).resolve().parents[1] / "docs" / "rules"
    assert {page.stem for page in pages.glob("IL*.md")} == set(RULES)


def test_the_product_itself_is_clean() -> None:
    root = Path(__file__).resolve().parents[1]
    report = sweep([root / "python", root / "examples"])
    assert [str(finding) for finding in report.findings] == []
    assert report.unchecked == []
