"""The main job, end to end: a real server, a real service, and a client that checks every figure."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType

import httpx

from interlock.testing import EmbeddedPostgres
from union_station import dedup, gates, isolation, tenancy
from union_station.database import create_database
from union_station.display import Display
from union_station.section import Client, Section
from union_station.server import running
from union_station.settings import Settings

SECTIONS = {"dedup": dedup, "gates": gates, "tenancy": tenancy, "isolation": isolation}


def run(*, serve: bool = False, port: int = 0, only: str | None = None) -> int:
    """Run the demonstration; 0 if every figure is as it should be, 1 if not, 130 after Ctrl-C."""
    display = Display()
    signal.signal(signal.SIGTERM, _interrupt)  # so that a supervisor's stop cleans up as Ctrl-C does
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            with display.step("Starting an embedded PostgreSQL"):
                server = stack.enter_context(EmbeddedPostgres())
            with display.step("Creating the roles and migrating as the owner (FORCE RLS)"):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="union-station-"))
                settings = replace(
                    asyncio.run(create_database(server)),
                    gates_file=f"{folder}/gates",
                    operator_key=secrets.token_urlsafe(),
                )
            with display.step("Starting Union Station under uvicorn"):
                address = stack.enter_context(running(settings, port=port))
            sections = asyncio.run(_drive(address, settings, display, only))
            ok = display.summary(sections)
            display.console.print(f"  took {time.monotonic() - started:.1f} s")
            if serve:
                _serve(address, settings, display)
            return 0 if ok else 1
    except KeyboardInterrupt:
        display.console.print("\nstopped: the service and the database are gone, nothing is left behind")
        return 0 if serve else 130


async def _drive(address: str, settings: Settings, display: Display, only: str | None) -> list[Section]:
    sections = []
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:
        client = Client(http=http, settings=settings, progress=display.progress)
        for name, module in SECTIONS.items():
            if only in (None, name):
                with display.step(f"Driving {name} over HTTP"):
                    section = await module.section(client)
                display.section(section)
                sections.append(section)
    return sections


def _serve(address: str, settings: Settings, display: Display) -> None:
    display.console.print(f"\nServing until Ctrl-C:\n  {address}/docs\n  {settings.owner_dsn}", markup=False)
    threading.Event().wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
