"""Findings that were there before: a file that lets a team stop new ones first."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from interlock.errors import SweepError
from interlock.sweep.findings import Finding

VERSION = 1


def read(path: Path) -> Counter[str]:
    """Return how often each fingerprint may occur.

    Raises:
        SweepError: the file is missing or is not a baseline.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["findings"]
        if content["version"] != VERSION:
            raise SweepError(f"{path}: baseline version {content['version']}: write it again")
        return Counter(entry["fingerprint"] for entry in entries)
    except FileNotFoundError:
        raise SweepError(f"{path}: no such baseline: write it with --regenerate-baseline") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SweepError(f"{path} is not a baseline: write it again with --regenerate-baseline") from error


def write(path: Path, findings: list[Finding]) -> None:
    """Record ``findings``; line numbers are left out, so that the file changes only when they do."""
    entries = [
        {"fingerprint": finding.fingerprint, "rule": finding.rule, "path": finding.path, "subject": finding.subject}
        for finding in sorted(findings)
    ]
    text = json.dumps({"version": VERSION, "findings": entries}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def split(findings: list[Finding], known: Counter[str]) -> tuple[list[Finding], list[Finding]]:
    """Return (new findings, findings of the baseline); a second copy of a known finding is new."""
    left = Counter(known)
    new, old = [], []
    for finding in findings:
        if left[finding.fingerprint] > 0:
            left[finding.fingerprint] -= 1
            old.append(finding)
        else:
            new.append(finding)
    return new, old
