"""``interlock demo``: runs the reference service of a checkout and shows every figure."""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from pathlib import Path

from interlock.errors import EmbeddedPostgresError

SECTIONS = ("dedup", "gates", "tenancy", "isolation")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("demo", help="run the reference service and show every figure")
    parser.add_argument("--serve", action="store_true", help="keep the service up afterwards and print its addresses")
    parser.add_argument("--port", type=int, default=0, help="port of the service (default: a free one)")
    parser.add_argument("--only", choices=SECTIONS, help="run one section")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demonstration of the checkout this package is installed from."""
    examples = Path(__file__).resolve().parents[3] / "examples"
    if not (examples / "union_station" / "demo.py").is_file():
        sys.stderr.write(
            "interlock demo runs the reference service examples/union_station, which is not in the wheel: "
            "clone the repository and run `make demo` there\n"
        )
        return 2
    sys.path.insert(0, str(examples))
    try:
        demo = importlib.import_module("union_station.demo")
    except ModuleNotFoundError as error:
        sys.stderr.write(f"interlock demo needs {error.name}: run `make demo`, which installs everything\n")
        return 2
    try:
        return int(demo.run(serve=args.serve, port=args.port, only=args.only))
    except EmbeddedPostgresError as error:
        sys.stderr.write(f"interlock demo: {error}\n")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write("interlock demo: no disk space is left: free some, or set TMPDIR to a folder with 200 MB\n")
    return 2
