"""Static check of scope coverage: where code would acquire a connection with no scope, and ten faults beside.

It reads Python source and runs none of it. The rules are in :mod:`interlock.sweep.rules`.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from interlock.errors import SweepError
from interlock.sweep import baseline as baselines
from interlock.sweep import credentials, fallback, internals, placement
from interlock.sweep.emission import Emission
from interlock.sweep.entries import EntryFinder
from interlock.sweep.findings import Finding, Report, Unchecked
from interlock.sweep.flows import Flows
from interlock.sweep.local_settings import LocalSettings
from interlock.sweep.project import Project
from interlock.sweep.reach import Reach
from interlock.sweep.rules import RULES, Rule
from interlock.sweep.sources import load

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
    with _without_collecting():
        return _swept(paths, chosen, known)


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """The trees all live until the end: to look for garbage among them meanwhile costs more than the sweep."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _swept(paths: Iterable[str | os.PathLike[str]], chosen: Collection[str], known: Counter[str] | None) -> Report:
    loaded = load(paths)
    report = Report(unchecked=loaded.unchecked, files=len(loaded.sources), tests=loaded.tests)
    suppressions = {source.path: source.suppressions for source in loaded.sources}
    flows = Flows(Project(loaded.sources))
    for finding in sorted(set(_all_findings(flows))):
        if finding.rule in chosen:
            located = replace(finding, places=tuple(_places(flows.project, finding)))
            suppressed = suppressions[finding.path].covers(finding.line)
            (report.suppressed if suppressed else report.findings).append(located)
    if known is not None:
        report.findings, report.baselined = baselines.split(report.findings, known)
    return report


def _places(project: Project, finding: Finding) -> Iterator[tuple[str, int]]:
    for step in finding.trail:
        name = step.partition(" (")[0].removeprefix("import of ")
        function = project.functions.get(name.partition(".<lambda>")[0])
        module = project.modules.get(name) if function is None else function.module
        line = function.node.lineno if function is not None else 1
        yield (finding.path if module is None else module.source.path, line)


def _all_findings(flows: Flows) -> Iterator[Finding]:
    entries = EntryFinder(flows).find()
    yield from Reach(flows, entries).findings()
    yield from LocalSettings(flows, entries).findings()
    yield from credentials.findings(flows)
    yield from fallback.findings(flows.project)
    yield from placement.findings(flows, entries)
    yield from internals.findings(flows, entries)
    yield from Emission(flows, entries).findings()
