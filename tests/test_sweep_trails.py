"""A finding names the calls that lead to it, by the shortest way, across modules."""

from __future__ import annotations

from pathlib import Path

from interlock.sweep import sweep

MAIN = """
from fastapi import FastAPI
from shop.jobs import start
app = FastAPI(lifespan=start)
"""
JOBS = """
from shop.db import Store
async def start(app):
    store = Store(app.state.pool)
    await store.load()
    yield
"""
STORE = """
class Base:
    async def load(self):
        await self.read()
class Store(Base):
    def __init__(self, pool):
        self._pool = pool
    async def read(self):
        async with self._pool.acquire():
            pass
"""


def package(folder: Path, **modules: str) -> Path:
    for name, text in {"__init__": "", **modules}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_trail_crosses_modules_and_overridden_methods(tmp_path: Path) -> None:
    (shop := tmp_path / "shop").mkdir()
    [finding] = sweep([package(shop, main=MAIN, jobs=JOBS, db=STORE)]).findings
    assert finding.trail == ("shop.jobs.start (lifespan=)", "shop.db.Base.load", "shop.db.Store.read")
    assert "pre_org_resolution_scope" in finding.message


def test_a_function_that_is_handed_on_shows_what_it_goes_through(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from fastapi import FastAPI\n"
        "async def retry(operation):\n    return await operation()\n"
        "async def load():\n    await pool.fetch('SELECT 1')\n"
        "async def start():\n    await retry(load)\n"
        "app = FastAPI(on_startup=[start])\n"
    )
    [finding] = sweep([tmp_path]).findings
    assert finding.trail == ("app.start (on_startup=)", "app.retry", "app.load")


def test_each_acquire_is_reported_once_by_its_shortest_trail(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from fastapi import FastAPI\n"
        "async def read():\n    await pool.fetch('SELECT 1')\n"
        "async def longer():\n    await read()\n"
        "async def start():\n    await longer()\n    await read()\n"
        "app = FastAPI(on_startup=[start])\n"
    )
    [finding] = sweep([tmp_path]).findings
    assert finding.trail == ("app.start (on_startup=)", "app.read")


def test_start_up_that_is_a_daemon_too_is_both(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from fastapi_utils.tasks import repeat_every\n"
        "@app.on_event('startup')\n@repeat_every(seconds=60)\n"
        "async def tick():\n    await pool.execute('SELECT 1')\n"
    )
    assert [finding.rule for finding in sweep([tmp_path]).findings] == ["IL101", "IL102"]
