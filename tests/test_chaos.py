"""A short version of ``benchmarks/chaos.py``, which see."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from interlock.testing import EmbeddedPostgres

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "chaos.py"


@pytest.fixture(scope="module")
def chaos() -> ModuleType:
    pytest.importorskip("psutil", reason="measures memory with psutil")
    spec = importlib.util.spec_from_file_location("chaos", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["chaos"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["merged", "pipelined"])
async def test_tenants_stay_apart_while_everything_breaks(chaos: ModuleType, mode: str) -> None:
    random.seed(7)
    with EmbeddedPostgres() as server:
        outcome = await chaos.run(server, seconds=0, checkouts=200, tasks=40, orgs=10, mode=mode)
    assert outcome.ok, outcome


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["merged", "pipelined"])
async def test_tenants_stay_apart_for_twenty_seconds(chaos: ModuleType, mode: str) -> None:
    random.seed(8)
    with EmbeddedPostgres() as server:
        outcome = await chaos.run(server, seconds=20, tasks=500, orgs=50, mode=mode)
    assert outcome.ok, outcome
