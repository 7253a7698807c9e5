"""A report as text, JSON and SARIF 2.1.0."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import interlock
from interlock import sarif
from interlock.sweep.findings import Finding, Report
from interlock.sweep.rules import RULES, Rule


def as_text(report: Report) -> str:
    """One finding a paragraph: place, rule, message, and the path by which unscoped code gets there."""
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.path}:{finding.line}:{finding.column}: {finding.rule} {finding.message}")
        lines.append("    via " + " → ".join(finding.trail))
    lines += [f"{place.path}: not checked: {place.reason}" for place in report.unchecked]
    lines.append(
        f"{len(report.findings)} findings in {report.files} files; {len(report.suppressed)} suppressed, "
        f"{len(report.baselined)} in the baseline, {report.tests} tests left out, "
        f"{len(report.unchecked)} files not checked"
    )
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "version": interlock.__version__,
            "files": report.files,
            "tests": report.tests,
            "findings": [{**asdict(finding), "fingerprint": finding.fingerprint} for finding in report.findings],
            "suppressed": [asdict(finding) for finding in report.suppressed],
            "baselined": [asdict(finding) for finding in report.baselined],
            "unchecked": [asdict(place) for place in report.unchecked],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0; findings that are suppressed or in the baseline are there, and marked so."""
    state = {"baselineState": "new"} if report.baselined else {}
    results = [{**_result(finding), **state} for finding in report.findings]
    results += [{**_result(finding), "baselineState": "unchanged"} for finding in report.baselined]
    results += [{**_result(finding), "suppressions": [{"kind": "inSource"}]} for finding in report.suppressed]
    gaps = (f"{place.path}: {place.reason}" for place in report.unchecked)
    return sarif.document("interlock sweep", map(_rule, RULES.values()), results, gaps)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} {rule.mend}", "markdown": f"{rule.why}\n\n{rule.mend}"},
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding) -> dict[str, Any]:
    place = _place(finding.path, finding.line, finding.column)
    steps = [
        {"location": {**_place(path, line), "message": {"text": name}}}
        for name, (path, line) in zip(finding.trail, finding.places, strict=False)
    ]
    steps.append({"location": {**place, "message": {"text": finding.message}}})
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": "error",
        "message": {"text": f"{finding.message} (via {' → '.join(finding.trail)})"},
        "locations": [place],
        "codeFlows": [{"threadFlows": [{"locations": steps}]}],
        "partialFingerprints": {"interlock/v1": finding.fingerprint},
    }


def _place(path: str, line: int, column: int = 1) -> dict[str, Any]:
    absolute = PurePosixPath(path).is_absolute()
    address = {"uri": ("file://" if absolute else "") + quote(path)} | ({} if absolute else {"uriBaseId": "%SRCROOT%"})
    return {"physicalLocation": {"artifactLocation": address, "region": {"startLine": line, "startColumn": column}}}


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif}
