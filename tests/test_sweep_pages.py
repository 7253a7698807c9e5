"""The examples of each rule's page: the bad one is found, by that rule alone; the good one is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interlock.sweep import RULES, sweep

PAGES = Path(__file__).resolve().parents[1] / "docs" / "rules"
EXAMPLE = re.compile(r"^(Bad|Good):\n\n```py\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("rule", RULES)
def test_the_examples_are_judged_as_the_page_says(rule: str, tmp_path: Path) -> None:
    text = (PAGES / f"{rule}.md").read_text(encoding="utf-8")
    examples = dict(EXAMPLE.findall(text))
    assert examples.keys() == {"Bad", "Good"}
    for kind, code in examples.items():
        # As a reader would paste it: the names it uses are imported elsewhere in the file.
        (tmp_path / f"{kind.lower()}.py").write_text(
            "import asyncio\nimport asyncpg\nfrom fastapi import FastAPI\n"
            "from interlock.tenancy import pre_org_resolution_scope, tenant_scope\n" + code
        )
    report = sweep([tmp_path])
    assert {(finding.path.rpartition("/")[2], finding.rule) for finding in report.findings} == {("bad.py", rule)}
    assert report.unchecked == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_the_page_opens_with_the_title_and_the_reason(rule: object) -> None:
    head, why = (PAGES / f"{rule.id}.md").read_text(encoding="utf-8").split("\n\n")[:2]  # type: ignore[attr-defined]
    assert (head, why) == (f"# {rule.id}: {rule.title}", rule.why)  # type: ignore[attr-defined]
