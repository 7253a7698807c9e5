"""Leaks that need a sequence: no single request shows them, the state machine finds them and shrinks the steps."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pydantic import BaseModel

from interlock.errors import IsolationLeak
from interlock.testing import IsolationHarness, TenantStateMachine

QUICK = settings(max_examples=60, stateful_step_count=10, deadline=None, database=None, derandomize=True)


class Text(BaseModel):
    text: str


def clipboard(*, leaky: bool) -> FastAPI:
    """Type, cut and paste. What is cut lies on a clipboard; the leaky one is everybody's."""
    app = FastAPI()
    app.state.forget = lambda: (texts.clear(), cut.clear())
    texts: dict[str, list[str]] = {}
    cut: dict[str, str] = {}

    @app.post("/type")
    async def type_(body: Text, x_tenant: str = Header()) -> int:
        texts.setdefault(x_tenant, []).append(body.text)
        return len(texts[x_tenant])

    @app.post("/cut")
    async def cut_(x_tenant: str = Header()) -> int:
        if not texts.get(x_tenant):
            raise HTTPException(409, "nothing to cut")
        cut["everybody" if leaky else x_tenant] = texts[x_tenant].pop()
        return len(texts[x_tenant])

    @app.post("/paste")
    async def paste(x_tenant: str = Header()) -> str:
        return cut.pop("everybody" if leaky else x_tenant, "")

    return app


def machine(app: FastAPI) -> Any:
    numbers = itertools.count(1)
    shared = IsolationHarness(
        app,
        create_org=lambda: f"tenant-{next(numbers):06}",
        headers_for=lambda org: {"x-tenant": org},
        on_reset=[app.state.forget],
    )

    class Clipboard(TenantStateMachine):
        harness = shared

    return Clipboard


def search(**options: Any) -> IsolationLeak:
    found = machine(clipboard(leaky=True))
    with found.harness, pytest.raises(IsolationLeak) as caught:
        run_state_machine_as_test(found, settings=settings(QUICK, **options))
    return caught.value


def test_a_leak_that_needs_three_steps_is_found() -> None:
    leak = search(phases=[Phase.generate]).leak
    assert (leak.oracle, leak.endpoint) == ("O1", "POST /paste")
    assert leak.planted == "body $.text of POST /type"


@pytest.mark.slow
def test_the_steps_are_shrunk_to_three() -> None:
    assert len([note for note in search().__notes__ if "state.write(" in note]) == 3


def test_the_same_without_the_leak_holds() -> None:
    clean = machine(clipboard(leaky=False))
    with clean.harness:
        run_state_machine_as_test(clean, settings=settings(QUICK, max_examples=10))


def test_rules_can_be_driven_by_hand() -> None:
    with machine(clipboard(leaky=True)).harness as harness:
        play = harness.play()
        for step in ("POST /type", "POST /cut"):
            assert play.call("A", step).ok
        with pytest.raises(IsolationLeak):
            play.call("B", "POST /paste")
