"""Isolation over sequences: Hypothesis chooses who does what, in which order."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from interlock.errors import HarnessError
from interlock.testing.harness import IsolationHarness
from interlock.testing.play import Play


class TenantStateMachine(RuleBasedStateMachine):
    """Two orgs use an application in any order; no response may carry what the other one wrote.

    Subclass it with ``harness = IsolationHarness(…)`` and use ``MyMachine.TestCase``. Own rules may use
    ``self.play``: ``self.play.call("A", "POST /people")`` sends a request and returns the response.
    """

    harness: ClassVar[IsolationHarness | None] = None

    def __init__(self) -> None:
        super().__init__()
        if self.harness is None:
            raise HarnessError("a TenantStateMachine needs a harness: set the class attribute harness")
        self.play: Play

    @initialize()
    def create_orgs(self) -> None:
        """Two new orgs without data."""
        self.play = self._harness().play()

    @precondition(lambda self: self.play.writes)
    @rule(data=st.data(), org=st.sampled_from("AB"))
    def write(self, data: st.DataObject, org: str) -> None:
        """One of the orgs writes."""
        self.play.call(org, data.draw(st.sampled_from(self.play.writes), label="write"))

    @precondition(lambda self: self.play.exchanges > 0 and self.play.reads)
    @rule(data=st.data(), org=st.sampled_from("AB"))
    def read(self, data: st.DataObject, org: str) -> None:
        """One of the orgs reads with its own ids."""
        self.play.call(org, data.draw(st.sampled_from(self.play.reads), label="read"))

    @precondition(lambda self: self.play.exchanges > 0 and self.play.all)
    @rule(data=st.data(), org=st.sampled_from("AB"))
    def trespass(self, data: st.DataObject, org: str) -> None:
        """One of the orgs uses the other one's ids."""
        self.play.trespass(org, data.draw(st.sampled_from(self.play.all), label="endpoint"))

    def teardown(self) -> None:
        """Compare the rows of both orgs with what they themselves wrote."""
        if hasattr(self, "play"):
            self.play.finish()

    def _harness(self) -> Any:
        return self.harness
