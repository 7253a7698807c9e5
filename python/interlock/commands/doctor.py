"""``interlock doctor --dsn … --role …``: what in a live database would let one tenant see another."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

FORMATS = ("text", "json", "sarif")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "doctor",
        help="find what in a live database would let one tenant see another",
        epilog="exit status: 0 no errors (with --strict no warnings either), 1 findings, 2 nothing could be checked",
    )
    parser.add_argument("--dsn", default=os.environ.get("DATABASE_URL"), help="address (default: $DATABASE_URL)")
    parser.add_argument("--role", help="the runtime role (default: the one the address logs in as)")
    parser.add_argument("--tenant-column", default="org_id")
    parser.add_argument("--guc", default="app.current_org_id", help="the setting that holds the session's tenant")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--strict", action="store_true", help="fail on warnings, and when a check could not be made")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    if not args.dsn:
        sys.stderr.write("interlock doctor: which database? give --dsn or set DATABASE_URL\n")
        return 2
    try:
        import asyncpg

        from interlock.tenancy import probe
        from interlock.tenancy.probe.formats import FORMATS
    except ModuleNotFoundError as error:
        sys.stderr.write(f"interlock doctor needs {error.name}: pip install 'interlock[asyncpg]'\n")
        return 2
    try:
        report = asyncio.run(probe.run(args.dsn, role=args.role, tenant_column=args.tenant_column, guc=args.guc))
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # The address holds a password: only the kind of error is shown.
        sys.stderr.write(f"interlock doctor: no connection: {type(error).__name__}: check the address and the role\n")
        return 2
    sys.stdout.write(FORMATS[args.format](report) + "\n")
    return 0 if report.ok(strict=args.strict) else 1
