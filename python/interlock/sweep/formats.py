"""A report as text, JSON and SARIF 2.1.0."""

from __future__ import annotations

import json
from dataclasses import asdict

import interlock
from interlock.sweep.findings import Finding, Report
from interlock.sweep.rules import RULES


def as_text(report: Report) -> str:
    """One finding a paragraph: place, rule, message, and the path by which unscoped code gets there."""
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.path}:{finding.line}:{finding.column}: {finding.rule} {finding.message}")
        if finding.trail:
            lines.append("    via " + " → ".join(finding.trail))
    lines += [f"{place.path}: not checked: {place.reason}" for place in report.unchecked]
    lines.append(
        f"{len(report.findings)} findings in {report.files} files; {len(report.suppressed)} suppressed, "
        f"{len(report.baselined)} in the baseline, {len(report.unchecked)} files not checked"
    )
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "version": interlock.__version__,
            "files": report.files,
            "findings": [{**asdict(finding), "fingerprint": finding.fingerprint} for finding in report.findings],
            "suppressed": [asdict(finding) for finding in report.suppressed],
            "baselined": [asdict(finding) for finding in report.baselined],
            "unchecked": [asdict(place) for place in report.unchecked],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_sarif(report: Report) -> str:
    """The OASIS Static Analysis Results Interchange Format, for code hosts."""
    run = {
        "tool": {
            "driver": {
                "name": "interlock sweep",
                "version": interlock.__version__,
                "rules": [
                    {"id": rule.id, "shortDescription": {"text": rule.title}, "fullDescription": {"text": rule.why}}
                    for rule in RULES.values()
                ],
            }
        },
        "results": [_result(finding) for finding in report.findings],
        "invocations": [
            {
                "executionSuccessful": not report.unchecked,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": f"{place.path}: {place.reason}"}}
                    for place in report.unchecked
                ],
            }
        ],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(finding: Finding) -> dict[str, object]:
    text = finding.message + (f" (via {' → '.join(finding.trail)})" if finding.trail else "")
    region = {"startLine": finding.line, "startColumn": finding.column}
    place = {"artifactLocation": {"uri": finding.path}, "region": region}
    return {
        "ruleId": finding.rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"interlock/v1": finding.fingerprint},
    }


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif}
