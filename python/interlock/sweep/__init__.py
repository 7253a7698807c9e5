"""Static check of scope coverage: where code would acquire a connection with no scope, and ten faults beside.

It reads Python source and runs none of it. The rules are in :mod:`interlock.sweep.rules`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from interlock.errors import SweepError
from interlock.sweep import baseline as baselines
from interlock.sweep import credentials, emission, fallback, local_settings, placement
from interlock.sweep.entries import EntryFinder
from interlock.sweep.findings import Finding, Report, Unchecked
from interlock.sweep.flow import Flows
from interlock.sweep.reach import Reach
from interlock.sweep.rules import RULES, Rule
from interlock.sweep.scopes import Scopes
from interlock.sweep.sources import Source, load
from interlock.sweep.symbols import Project

__all__ = ["RULES", "Finding", "Report", "Rule", "Unchecked", "sweep"]


def sweep(
    paths: Iterable[str | os.PathLike[str]],
    *,
    baseline: str | os.PathLike[str] | None = None,
    rules: Collection[str] | None = None,
) -> Report:
    """Check every Python file below ``paths`` that is not a test.

    Args:
        paths: files and folders.
        baseline: a file of known findings, as ``baselines.write`` makes it; they are reported apart.
        rules: only these rule ids; default all.

    Raises:
        SweepError: an unknown rule, or a baseline that cannot be read.

    """
    chosen = set(RULES if rules is None else rules)
    unknown = chosen - RULES.keys()
    if unknown:
        raise SweepError(f"no such rule: {', '.join(sorted(unknown))}: the rules are {', '.join(RULES)}")
    known = None if baseline is None else baselines.read(Path(baseline))
    sources, unchecked = load(paths)
    report = Report(unchecked=unchecked, files=len(sources))
    suppressions = {source.path: source.suppressions for source in sources}
    for finding in sorted(set(_all_findings(sources))):
        if finding.rule in chosen:
            suppressed = _is_suppressed(finding, suppressions[finding.path])
            (report.suppressed if suppressed else report.findings).append(finding)
    if known is not None:
        report.findings, report.baselined = baselines.split(report.findings, known)
    return report


def _all_findings(sources: list[Source]) -> Iterator[Finding]:
    project = Project(sources)
    scopes = Scopes(project)
    flows = Flows(project, scopes)
    entries = EntryFinder(project, flows).find()
    yield from Reach(project, scopes, flows, entries).findings()
    yield from local_settings.findings(project, flows, entries)
    yield from credentials.findings(project, flows)
    yield from fallback.findings(project)
    yield from placement.findings(project, scopes, flows, entries)
    yield from emission.findings(project, flows, entries)


def _is_suppressed(finding: Finding, suppressions: dict[int, str]) -> bool:
    """On the finding's line or the line above, and only with a reason."""
    return bool(suppressions.get(finding.line) or suppressions.get(finding.line - 1))
