"""An ephemeral PostgreSQL server for tests and demonstrations: no Docker, no root, nothing left behind."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from interlock.errors import EmbeddedPostgresError
from interlock.testing.binaries import WHEEL, find_binaries
from interlock.testing.database_server import DatabaseServer
from interlock.testing.database_server import quote_identifier as quote_identifier
from interlock.testing.database_server import run_in_thread as run_in_thread
from interlock.testing.leftovers import PREFIX, claim, remove_leftovers

NOBODY = 65534
START_SECONDS = 60
STOP_SECONDS = 30

# Durability is worth nothing in a server that is deleted at the end.
DEFAULTS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}


class EmbeddedPostgres(DatabaseServer):
    """A PostgreSQL cluster in a temporary folder, reachable over a Unix socket.

    ``with EmbeddedPostgres() as server`` or ``async with``; or :meth:`start` and :meth:`stop`. Everyone who can
    reach the socket is trusted, so the folder is readable by its owner alone. Started as root, the server runs as
    an unprivileged user. The folder is removed at :meth:`stop`, at exit, and by the next run after a crash.

    Args:
        settings: server settings such as ``{"listen_addresses": "127.0.0.1"}``; they win over the defaults, which
            trade durability for speed.

    Raises:
        EmbeddedPostgresError: no server programs, or the server did not start; the message has its log.

    """

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        self.settings = {**DEFAULTS, **(settings or {})}
        self.port = int(self.settings.pop("port", 0))
        self.folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._bin: Path | None = None
        self._owner = os.getpid()

    # --- life

    def start(self) -> Self:
        """Create the cluster and start the server; does nothing when it runs."""
        if self._process is not None:
            return self
        remove_leftovers()
        self._owner = os.getpid()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short_temporary_folder()))
        atexit.register(self.stop)
        try:
            claim(self.folder)
            self._hand_over(self.folder)
            self._bin = self._usable_binaries()
            self._initdb()
            self.port = self.port or _free_port()
            self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server and remove its folder; safe to call again, and in a forked child does nothing."""
        if os.getpid() != self._owner:
            return
        self._halt()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
        atexit.unregister(self.stop)

    def restart(self) -> None:
        """Stop the server, breaking every connection, and start it on the same data, socket and port."""
        self._halt()
        self._launch()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # --- use

    def dsn(self, user: str = "postgres", database: str = "postgres", *, host: str | None = None) -> str:
        """Return the address of a database; over the Unix socket unless ``host`` names a listening address."""
        where = {"host": host or str(self._running_folder()), "port": self.port}
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{urlencode(where)}"

    @property
    def version(self) -> int:
        """The server's major version."""
        answer = self._command("postgres", "--version")
        match = re.search(r"(\d+)", answer)
        if match is None:
            raise EmbeddedPostgresError(f"postgres --version answered {answer!r}: check PG_BIN")
        return int(match.group(1))

    # --- how

    def _running_folder(self) -> Path:
        if self.folder is None:
            raise EmbeddedPostgresError("the server is not running: call start() or use it in a with block")
        return self.folder

    def _hand_over(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)

    def _unprivileged(self) -> dict[str, Any]:
        """Arguments that make a child run without root's rights, which PostgreSQL refuses to have."""
        if os.geteuid() != 0:
            return {}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def _usable_binaries(self) -> Path:
        found = find_binaries()
        try:
            self._command("postgres", "--version", folder=found)
        except (PermissionError, EmbeddedPostgresError):
            if os.geteuid() != 0 or found.parents[1].name != WHEEL:
                raise
            return self._copy_of_wheel(found.parents[1])
        return found

    def _copy_of_wheel(self, package: Path) -> Path:
        """An unprivileged user cannot enter a package folder below a private home: give it a copy (0.1 s)."""
        folder = self._running_folder()
        shutil.copytree(package / "pginstall", folder / WHEEL / "pginstall", symlinks=True)
        libraries = package.with_name(f"{WHEEL}.libs")  # the programs look for them beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return folder / WHEEL / "pginstall" / "bin"

    def _command(self, program: str, *words: str, folder: Path | None = None) -> str:
        path = (folder or self._bin or find_binaries()) / program
        done = subprocess.run(
            [path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder or "/",
            check=False,
            **self._unprivileged(),
        )
        text: str = done.stdout.decode(errors="replace").strip()
        if done.returncode:
            raise EmbeddedPostgresError(_fault(f"{program} failed", text or f"exit status {done.returncode}"))
        return text

    def _initdb(self) -> None:
        data = str(self._running_folder() / "data")
        self._command(
            "initdb",
            "--no-sync",
            "--no-locale",
            "--encoding=UTF8",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-D",
            data,
        )

    def _launch(self) -> None:
        folder = self._running_folder()
        settings = {**self.settings, "unix_socket_directories": str(folder), "port": str(self.port)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        binaries = self._bin or find_binaries()
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                # Ctrl-C must reach the program that uses the server first, not the server.
                start_new_session=True,
                **self._unprivileged(),
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        folder, process = self._running_folder(), self._process
        deadline = time.monotonic() + START_SECONDS
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            if _status(folder / "data" / "postmaster.pid", process.pid) == "ready":
                return
            time.sleep(0.01)
        log = (folder / "log").read_text(errors="replace").strip()
        self._halt()
        raise EmbeddedPostgresError(_fault("PostgreSQL did not start", log or "it wrote no log"))

    def _halt(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)  # fast shutdown: ends sessions, writes no more than needed
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _status(pid_file: Path, pid: int) -> str:
    """The last field of ``postmaster.pid``, once it is this server's."""
    try:
        lines = pid_file.read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return ""
    return lines[7].strip() if len(lines) >= 8 and lines[0].strip() == str(pid) else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _short_temporary_folder() -> str:
    """A Unix socket's path may have at most 107 bytes; an unprivileged server must be able to enter it."""
    folder = tempfile.gettempdir()
    too_long = len(folder) > 60
    private = os.geteuid() == 0 and not all(
        part.stat().st_mode & 0o001 for part in [Path(folder), *Path(folder).parents]
    )
    return "/tmp" if too_long or private else folder


def _fault(what: str, output: str) -> str:
    """One line: what failed, what PostgreSQL said about it, and what to do."""
    lines = output.splitlines()
    telling = [line for line in lines if re.search(r"FATAL|PANIC|error:|could not|cannot", line)] or lines[-3:]
    said = " / ".join(dict.fromkeys(line.strip() for line in telling[:3]))
    if "No space left" in output:
        return f"{what}: {said}: free some disk space, or set TMPDIR to a folder with 200 MB of it"
    return f"{what}: {said}: PG_BIN chooses another server"
