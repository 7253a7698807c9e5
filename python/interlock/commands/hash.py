"""``interlock hash``: canonical form, digest and actions of a payload; why two are or are not the same."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from interlock._native import why_shell_is_kept
from interlock.commands.difference import difference
from interlock.errors import CanonicalizationError
from interlock.hashing import ABSENT, JSONText, canonical_http, canonical_json, canonical_shell
from interlock.targets import actions

KINDS = ("shell", "http", "json")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "hash",
        help="show what a payload hashes to, or why two payloads are or are not the same",
        epilog="exit status: 0 shown, or two payloads are the same; 1 they differ; 2 a payload has no hash",
    )
    parser.add_argument(
        "payloads",
        nargs="*",
        metavar="PAYLOAD",
        help="a command, 'METHOD PATH [JSON]', or JSON text; two are compared; none reads standard input",
    )
    parser.add_argument("--kind", choices=KINDS, default="shell")
    parser.add_argument("--file", action="append", default=[], metavar="FILE", help="read a payload from a file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show each payload, or compare two."""
    try:
        payloads = [*args.payloads, *(without_newline(Path(name).read_text("utf-8")) for name in args.file)]
        if not payloads:
            payloads = [without_newline(sys.stdin.read())]
        reports = [describe(args.kind, payload) for payload in payloads]
    except (CanonicalizationError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"interlock hash: {error}\n")
        return 2
    same = reports[0]["digest"] == reports[1]["digest"] if len(reports) == 2 else None
    why = None if same is None else difference(args.kind, reports[0], reports[1])
    if args.json:
        result = {"same": same, "why": why, "payloads": reports} if same is not None else {"payloads": reports}
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(as_text(report) for report in reports))
        if why is not None:
            sys.stdout.write(f"\n{'same' if same else 'different'}: {why}\n")
    return 1 if same is False else 0


def without_newline(text: str) -> str:
    """Drop the newline that ends a file, which is no part of a payload."""
    return text.removesuffix("\n")


def describe(kind: str, payload: str) -> dict[str, Any]:
    """Return the canonical form, the digests, and for a command its actions."""
    form = canonical(kind, payload)
    digest = hashlib.sha256(form).hexdigest()
    report: dict[str, Any] = {
        "payload": payload,
        "canonical": form.decode("utf-8"),
        "digest": digest,
        "cmd_hash": digest[:12],
    }
    if kind == "shell":
        report["kept"] = why_shell_is_kept(payload)
        report["actions"] = [
            {
                "tool": action.tool,
                "verb": action.verb,
                "targets": list(action.targets),
                "logical_keys": list(action.logical_keys),
                "dynamic": action.dynamic,
            }
            for action in actions(payload)
        ]
    return report


def canonical(kind: str, payload: str) -> bytes:
    """Return the canonical form of a payload given as text."""
    if kind == "shell":
        return canonical_shell(payload).encode()
    if kind == "json":
        return canonical_json(JSONText(payload))
    method, _, target = payload.partition(" ")
    path, present, body = target.partition(" ")
    return canonical_http(method, path, JSONText(body) if present else ABSENT)


def as_text(report: dict[str, Any]) -> str:
    """Lay a report out for people."""
    lines = [f"{name:<10} {report[name]}" for name in ("canonical", "digest", "cmd_hash")]
    if report.get("kept"):
        lines.insert(1, f"{'kept':<10} as it is written: {report['kept']}")
    for action in report.get("actions", ()):
        targets = "target unknown" if action["dynamic"] else " ".join(action["logical_keys"])
        lines.append(f"{'action':<10} {action['tool']} {action['verb']}  {targets}".rstrip())
    return "\n".join(lines) + "\n"
