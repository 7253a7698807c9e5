"""O3: what A writes changes nothing that B is shown: no count, total, order, tag or allowance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from interlock.testing.compare import Facts, facts, said, stepped
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story


class NonInterferenceOracle(Oracle):
    """Reads as B twice, lets A write, reads again; what then moves must move again whenever A writes."""

    code: ClassVar[str] = "O3"
    title: ClassVar[str] = "another org's writes show"

    def __init__(self) -> None:
        self._earlier: tuple[dict[str, Facts], dict[str, Facts]] = ({}, {})

    async def before_writes(self, story: Story) -> None:
        """B reads everything twice, to learn what changes anyway."""
        first = await story.sweep(story.b, "B reads before A writes")
        second = await story.sweep(story.b, "B reads before A writes")
        self._earlier = (_facts(first), _facts(second))

    async def after_writes(self, story: Story) -> None:
        """B reads everything again; a difference is confirmed write by write."""
        third = _facts(await story.sweep(story.b, "B reads after A wrote"))
        for endpoint in story.readable():
            story.world.coverage.count(self.code, endpoint.name)
            first, second = (earlier[endpoint.name] for earlier in self._earlier)
            if stepped(first, second, third[endpoint.name]):
                await self._confirm(story, endpoint)

    async def _confirm(self, story: Story, endpoint: Endpoint) -> None:
        if not (await self._step(story, endpoint, story.seed_order))[0]:
            return  # a clock, or a counter of something else
        for writer in story.seed_order:
            await self._blame(story, endpoint, writer)

    @staticmethod
    async def _step(
        story: Story, endpoint: Endpoint, writers: Sequence[Endpoint]
    ) -> tuple[set[str], Exchange, Exchange, Exchange]:
        """What moves at A's writes and not without them, with the reading before, the last write, the one after."""
        readings = [await _read(story, endpoint) for _ in range(3)]
        writes = [await story.world.call(story.a, writer, purpose="A writes") for writer in writers]
        last = await _read(story, endpoint)
        calm, second, third = (facts(one.response) for one in readings)
        step = set(stepped(second, third, facts(last.response))) - set(stepped(calm, second, third))
        return step, readings[-1], writes[-1], last

    async def _blame(self, story: Story, endpoint: Endpoint, writer: Endpoint) -> None:
        """Whether the endpoint moves at each of A's writes through ``writer``."""
        moved, *_ = await self._step(story, endpoint, [writer])
        if not moved:
            return
        again, reading, write, last = await self._step(story, endpoint, [writer])
        moved &= again
        if not moved:
            return
        key = min(moved)
        leak(
            story.world,
            self,
            last,
            surface=key,
            message=(
                f"B's {key} goes from {said(facts(reading.response), key)} to {said(facts(last.response), key)} "
                f"whenever A uses {writer.name}, and not otherwise"
            ),
            also=[reading, write],
        )


async def _read(story: Story, endpoint: Endpoint) -> Exchange:
    return await story.world.call(story.b, endpoint, purpose="B reads")


def _facts(sweep: dict[str, Exchange]) -> dict[str, Facts]:
    of: Callable[[Exchange], Facts] = lambda exchange: facts(exchange.response)  # noqa: E731
    return {name: of(exchange) for name, exchange in sweep.items()}
