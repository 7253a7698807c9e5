"""O3: what A does changes nothing that B is shown: no count, total, order, tag, number or allowance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from interlock.testing.compare import Facts, caused, facts, said, stepped
from interlock.testing.exchange import Exchange
from interlock.testing.finding import leak
from interlock.testing.listening import in_company
from interlock.testing.oracles.base import Oracle
from interlock.testing.oracles.kept import kept_for_another
from interlock.testing.oracles.questions import Question, Step, ask_each, optional, restless, step, usual
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.world import Org

PASSES, LEAD, MAX_PASSING = 3, 3, 12
TURNS = 3  # of A's numbers one is larger than all before it, the next smaller

Act = Callable[[], Awaitable[list[Exchange]]]


class NonInterferenceOracle(Oracle):
    """Asks as B twice, lets A act, asks again; what then moves must move again whenever A does so."""

    code: ClassVar[str] = "O3"
    title: ClassVar[str] = "another org's writes show"

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Facts] = {}
        self._second: dict[tuple[str, str], Facts] = {}
        self._third: dict[tuple[str, str], Facts] = {}

    async def before_writes(self, story: Story) -> None:
        """B asks everything twice, to learn what changes anyway: reads last, with no write of B's between them."""
        for asked in (usual(story.seed_order), self._reads(story)):
            self._first |= await ask_each(story, asked, "B asks before A writes")
            self._second |= await ask_each(story, asked, "B asks before A writes")

    async def after_writes(self, story: Story) -> None:
        """B asks everything again; a difference is confirmed write by write."""
        for _ in range(TURNS - 1):
            await story.seed(story.a)
        both = self._reads(story), usual(story.seed_order)
        for asked in both:
            self._third |= await ask_each(story, asked, "B asks after A wrote")
            for question in asked:
                story.world.coverage.count(self.code, question.endpoint.name)
        await self._ranks(story)  # first: it is cheap as long as none has much more than the other
        for asked in both:
            suspect = [one for one in asked if self._moved(one) and not story.world.is_shared(one.endpoint.name)]
            for question in await self._moved_again(story, suspect):
                await self._confirm(story, question)
        await self._watched(story)
        for endpoint in story.readable():
            moved, told = await kept_for_another(story, endpoint)
            if moved:
                self._report(story, told[0], told[1], min(moved), "where A has asked for the same days before")
        for endpoint in [one for one in story.endpoints if one.websocket and story.world.learned[one.name].works]:
            moved, told = await in_company(story, endpoint)
            if moved:
                self._report(story, told[0], told[1], min(moved), "while A is connected, and not otherwise")

    @staticmethod
    def _reads(story: Story) -> list[Question]:
        return [*usual(story.readable()), *optional(story, story.readable())]

    def _moved(self, question: Question) -> list[str]:
        return stepped(self._first[question.key], self._second[question.key], self._third[question.key])

    async def _moved_again(self, story: Story, asked: Sequence[Question]) -> list[Question]:
        """Those that move once more when A writes, asked by turns, so that B's own requests tell on all alike."""
        if not asked:
            return []
        calm, second, third = [await ask_each(story, asked, "B asks again before A writes") for _ in range(3)]
        await _write(story, [*story.seed_order, *story.changes] * TURNS)
        last = await ask_each(story, asked, "B asks again after A wrote")

        def steps(key: tuple[str, str]) -> set[str]:
            return {*stepped(second[key], third[key], last[key])} - {*stepped(calm[key], second[key], third[key])}

        return [one for one in asked if steps(one.key)]

    async def _confirm(self, story: Story, question: Question) -> None:
        writers = [*story.seed_order, *story.changes]
        seen = await step(story, question, partial(_write, story, writers * TURNS))
        if not seen.moved or not seen.moved - await restless(story, question, seen.seconds):
            return  # a clock, or a counter of something else
        for writer in writers:
            write = partial(_write, story, [writer] * TURNS)
            await self._blame(story, question, f"whenever A uses {writer.name}, and not otherwise", [write] * 2)

    async def _ranks(self, story: Story) -> None:
        """A's place among all moves only when A comes to have more than B."""
        asked = usual(story.readable())
        behind = await ask_each(story, asked, "B asks while A may have less")
        await _pass(story, story.a, story.b)
        ahead = await ask_each(story, asked, "B asks when A has more")
        for question in asked:
            first, second = self._first[question.key], self._second[question.key]
            moved = {*stepped(behind[question.key], behind[question.key], ahead[question.key])}
            moved |= {*self._moved(question)}  # A's first writes may have been what made it pass
            moved -= {*caused(first, second, first)}  # what was not the same twice before
            shared = bool(moved) and story.world.is_shared(question.endpoint.name)
            if moved and not shared and (moved := moved - await restless(story, question, 0.0)):
                await self._blame(
                    story,
                    question,
                    "whenever A comes to have more than B",
                    [partial(_pass, story, story.a, story.b)] * PASSES,
                    partial(_pass, story, story.b, story.a),
                    noticed=moved,
                )

    async def _watched(self, story: Story) -> None:
        """That A asks the same shows in a count of who is there, in the figures of whoever asked last."""
        asked = usual(story.readable())
        first, second = [await ask_each(story, asked, "B asks before A asks") for _ in range(2)]
        for question in asked:
            await story.world.call(story.a, question.endpoint, purpose="A asks the same")
        third = await ask_each(story, asked, "B asks after A asked the same")
        for question in asked:
            if stepped(first[question.key], second[question.key], third[question.key]):
                # Another org each time: one that has been seen is counted no more.
                visit = partial(_visit, story, question.endpoint)
                await self._blame(story, question, "when another org asks the same, and not otherwise", [visit] * 2)

    async def _blame(
        self,
        story: Story,
        question: Question,
        when: str,
        acts: Sequence[Act],
        prepare: Act | None = None,
        noticed: set[str] | None = None,
    ) -> None:
        """Report what moves at each of the acts, each after what prepares it, and not in the time that they take."""
        moved, seen = noticed, list[Step]()
        for act in acts:
            if prepare is not None:
                await prepare()
                await story.rested()  # what B has begun there may end later: a daemon's work is not A's
            seen.append(await step(story, question, act))
            moved = seen[-1].moved if moved is None else moved & seen[-1].moved
            if not moved:
                return
        moved = (moved or set()) - await restless(story, question, max(one.seconds for one in seen))
        if not moved:
            return
        last = seen[-1]
        self._report(story, last.before, last.after, min(moved), when, last.writes)

    def _report(
        self, story: Story, before: Exchange, after: Exchange, key: str, when: str, writes: Sequence[Exchange] = ()
    ) -> None:
        one, other = (said(facts(exchange.response), key) for exchange in (before, after))
        leak(
            story.world,
            self,
            after,
            surface=key,
            message=f"B's {key} goes from {one} to {other} {when}",
            also=[before, *writes],
        )


async def _write(story: Story, writers: Sequence[Endpoint]) -> list[Exchange]:
    return [await story.use(story.a, writer, "A writes") for writer in writers]


async def _visit(story: Story, endpoint: Endpoint) -> list[Exchange]:
    """A new org asks what B asks."""
    return [await story.world.call(await story.newcomer(), endpoint, purpose="a new org asks the same")]


async def _pass(story: Story, behind: Org, ahead: Org) -> list[Exchange]:
    """Let one org make things until it has more of each kind than the other, less what it may have removed."""

    def made(org: Org, endpoint: Endpoint) -> int:
        return story.world.succeeded[org.index, endpoint.name]

    for writer in story.seed_order:
        missing = made(ahead, writer) + LEAD - made(behind, writer)
        for _ in range(min(missing, MAX_PASSING)):
            await story.world.call(behind, writer, purpose=f"{behind.name} makes more than {ahead.name} has")
    return []
