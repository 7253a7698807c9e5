"""The harness over a service of other habits: no database, paths with the org's slug, ULIDs, tags, cursors, sockets.

Nothing in the harness knows it; the plants were written before the harness could find them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from freight_app.app import create_app, create_org, headers_for
from freight_app.plants import PLANTS
from interlock.errors import IsolationLeak
from interlock.testing import IsolationHarness

# Found by one example of one endpoint each: quick, and with nothing left to chance.
QUICK = {
    "load-tells": ("O4", "GET /v2/{firm}/loads/{load_id}"),
    "remove-any": ("O6", "DELETE /v2/{firm}/trucks/{truck}"),
    "cursor-names-firm": ("O1", "GET /v2/{firm}/loads"),
}


def harness(plant: str | None = None) -> IsolationHarness:
    app = create_app(plant)
    return IsolationHarness(app, create_org=lambda: create_org(app), headers_for=headers_for)


@pytest.mark.parametrize("plant", QUICK)
def test_a_planted_leak_is_found(plant: str) -> None:
    code, target = QUICK[plant]
    with harness(plant) as one, pytest.raises(IsolationLeak) as caught:
        one.example(target)
    assert (caught.value.leak.oracle, caught.value.leak.endpoint) == (code, target)


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS)
def test_every_planted_leak_is_found(plant: str) -> None:
    assert harness(plant).run(max_examples=50, seed=1, max_seconds=None).leaks


@pytest.mark.slow
def test_the_clean_service_holds() -> None:
    report = harness().run(max_examples=50, seed=1, max_seconds=None)
    assert report.ok, str(report)
