"""Findings that were there before: a file that lets a team stop new ones first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from interlock.errors import SweepError
from interlock.sweep.findings import Finding

VERSION = 1
FIELDS = ("fingerprint", "rule", "path", "subject")


def read(path: Path) -> Counter[str]:
    """Return how often each fingerprint may occur.

    Raises:
        SweepError: the file is missing or is not a baseline.

    """
    return Counter(entry["fingerprint"] for entry in _entries(path))


def write(path: Path, findings: list[Finding], rules: Collection[str] | None = None) -> None:
    """Record ``findings``; line numbers are left out, so that the file changes only when they do.

    Where only some ``rules`` were swept, what the file holds of the others stays.
    """
    kept = [entry for entry in _entries(path) if entry["rule"] not in rules] if rules and path.exists() else []
    entries = kept + [{name: getattr(finding, name) for name in FIELDS} for finding in sorted(findings)]
    text = json.dumps({"version": VERSION, "findings": entries}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _entries(path: Path) -> list[dict[str, str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise SweepError(f"{path}: baseline version {content['version']}: write it again")
        return [{name: str(entry[name]) for name in FIELDS} for entry in content["findings"]]
    except FileNotFoundError:
        raise SweepError(f"{path}: no such baseline: write it with --regenerate-baseline") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SweepError(f"{path} is not a baseline: write it again with --regenerate-baseline") from error


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
