"""``interlock demo | doctor | sweep | hash``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import interlock

COMMANDS = ("demo", "doctor", "sweep", "hash")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Build the argument parser; each command module registers its own subparser.

    Args:
        only: import the module of this command alone, so that ``interlock hash`` does not pay for ``demo``.

    """
    root = argparse.ArgumentParser(prog="interlock", description=interlock.__doc__)
    root.add_argument("--version", action="version", version=f"interlock {interlock.__version__}")
    subparsers = root.add_subparsers(dest="command", required=True)
    for name in [only] if only else COMMANDS:
        importlib.import_module(f"interlock.commands.{name}").register(subparsers)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    only = words[0] if words and words[0] in COMMANDS else None
    args = parser(only).parse_args(words)
    return int(args.run(args))
