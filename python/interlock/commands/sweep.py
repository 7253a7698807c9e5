"""``interlock sweep PATH…``: static check of scope coverage."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from interlock.errors import SweepError
from interlock.sweep import baseline, sweep
from interlock.sweep.formats import FORMATS

BASELINE = ".interlock-baseline.json"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "sweep",
        help="find code that would acquire a connection with no scope",
        epilog="exit status: 0 nothing found, 1 findings (with --strict also files not checked), 2 wrong use",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files and folders; tests are left out")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument("--select", metavar="RULES", help="only these rules, such as IL101,IL102")
    parser.add_argument("--baseline", metavar="FILE", help=f"known findings (default: {BASELINE} where it exists)")
    parser.add_argument("--regenerate-baseline", action="store_true", help="write the findings to the baseline")
    parser.add_argument("--strict", action="store_true", help="fail also when a file could not be checked")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sweep and print."""
    known = Path(args.baseline or BASELINE)
    rules = args.select.split(",") if args.select else None
    try:
        if args.regenerate_baseline:
            report = sweep(args.paths, rules=rules)
            baseline.write(known, report.findings, rules)
            unchecked = "".join(f"{place.path}: not checked: {place.reason}\n" for place in report.unchecked)
            sys.stdout.write(f"{unchecked}{known}: {len(report.findings)} findings recorded\n")
            return 1 if args.strict and report.unchecked else 0
        report = sweep(args.paths, baseline=known if args.baseline or known.exists() else None, rules=rules)
    except SweepError as error:
        sys.stderr.write(f"interlock sweep: {error}\n")
        return 2
    sys.stdout.write(FORMATS[args.format](report) + "\n")
    return 0 if report.ok(strict=args.strict) else 1
