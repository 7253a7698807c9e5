"""A report as a table, as JSON and as SARIF 2.1.0."""

from __future__ import annotations

import json
from dataclasses import asdict

from interlock import sarif
from interlock.tenancy.probe.findings import Finding, Report, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_text(report: Report) -> str:
    """Worst first: what, where, the evidence, the SQL that mends it."""
    lines = [f"role {report.role} in database {report.database}"]
    for finding in report.findings:
        lines.append(f"{finding.severity.upper():7} {finding.id} {finding.object}: {finding.message}")
        if finding.evidence:
            lines.append(f"            seen: {finding.evidence}")
        if finding.fix:
            lines.append(f"            fix:  {finding.fix};")
    lines += [f"UNCHECKED {gap.id}: {gap.reason}" for gap in report.unchecked]
    counts = [
        f"{sum(finding.severity is severity for finding in report.findings)} {severity}" for severity in Severity
    ]
    lines.append(f"{report.checked} checks: {', '.join(counts)}, {len(report.unchecked)} not made")
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Everything, for programs."""
    return json.dumps(asdict(report), indent=2, ensure_ascii=False)


def as_sarif(report: Report) -> str:
    """The OASIS Static Analysis Results Interchange Format; an object of the database is a logical location."""
    rules = ({"id": name} for name in sorted({finding.id for finding in report.findings}))
    gaps = (f"{gap.id}: {gap.reason}" for gap in report.unchecked)
    return sarif.document("interlock doctor", rules, map(_result, report.findings), gaps)


def _result(finding: Finding) -> dict[str, object]:
    parts = [finding.message, finding.evidence and f"seen: {finding.evidence}", finding.fix and f"fix: {finding.fix}"]
    return {
        "ruleId": finding.id,
        "level": _LEVELS[finding.severity],
        "message": {"text": "; ".join(part for part in parts if part)},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": finding.object}]}],
    }


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif}
