"""O8: naming another org in a header, a parameter, a cookie or the body changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from interlock.testing.attacks import invalid
from interlock.testing.compare import caused, facts, said, same
from interlock.testing.exchange import Exchange, Request
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.payloads import Leaf
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story
from interlock.testing.values import random_reference

HEADERS = ("x-org-id", "x-organization-id", "x-tenant-id", "x-tenant", "x-org", "x-workspace-id", "x-account-id")
NAMES = ("org_id", "tenant_id", "organization_id", "org", "tenant", "workspace_id", "account_id")
MAX_MINED, MAX_NAMES = 40, 3
_ORG = re.compile(r"org|tenant|account|workspace|company|firm|team", re.IGNORECASE)
REPEATED = 12  # what is one of two at random looks like a difference in one round of four

Hint = Callable[[Request, str], Request | None]


def _outside(names: Iterable[str], endpoint: Endpoint, headers: Iterable[str] = ()) -> Hint:
    """Headers, query and cookies at once: they are independent, and one request is cheaper than twenty."""
    declared = {(one.place, one.name.lower()) for one in endpoint.parameters if one.declared}
    spelled = {name.lower().replace("_", "-"): None for name in (*headers, *names)}

    def hint(request: Request, org: str) -> Request:
        named = [(name, org) for name in spelled if ("header", name) not in declared]
        query = [(name, org) for name in names if ("query", name.lower()) not in declared]
        cookies = "; ".join(f"{name}={org}" for name in names if ("cookie", name.lower()) not in declared)
        headers = (*request.headers, *named, ("cookie", cookies))
        return replace(request, headers=headers, query=(*request.query, *query))

    return hint


def _optional(endpoint: Endpoint) -> Iterator[Hint]:
    """Each option that the endpoint itself declares, alone: a text may be an org, and a number if it is called so."""
    for one in endpoint.parameters:
        takes_org = "string" in str(one.schema) or ("integer" in str(one.schema) and _ORG.search(one.name))
        if one.required or one.place == "path" or not one.declared or not takes_org:
            continue

        def hint(request: Request, org: str, name: str = one.name, place: str = one.place) -> Request:
            if place == "query":
                return replace(request, query=(*request.query, (name, org)))
            pair = ("cookie", f"{name}={org}") if place == "cookie" else (name, org)
            return replace(request, headers=(*request.headers, pair))

        yield hint


def _inside(names: Iterable[str]) -> Hint:
    """The body, where it is a JSON object."""

    def hint(request: Request, org: str) -> Request | None:
        try:
            body = json.loads(request.body)
        except ValueError:
            return None
        if not isinstance(body, dict):
            return None
        return replace(request, body=json.dumps({**body, **dict.fromkeys(names, org)}).encode())

    return hint


class HintOracle(Oracle):
    """Identity comes from the credentials alone: A's id is treated like the id of no org at all."""

    code: ClassVar[str] = "O8"
    title: ClassVar[str] = "an org hint is believed"

    async def afterwards(self, story: Story) -> None:
        """B reads while naming A, where the passive oracles look at the answers, and writes with A in the body."""
        asked = [one for one in story.readable() if one.in_schema]
        # By one name everywhere before the next: in an answer to the first the next is no echo.
        for org in story.a.names[:MAX_NAMES]:
            for endpoint, hint in [(one, hint) for one in asked for hint in self._hints(story, one)[:-1]]:
                await story.world.supply(story.b, endpoint)
                request, values, origins = story.world.prepare(story.b, endpoint)
                hinted = hint(request, org)
                if hinted is not None:
                    plain = self._without_credentials(story, hinted)
                    await story.world.send(story.b, endpoint, plain, values, origins, purpose="B names A", own=False)

        for endpoint in story.writes:
            if not endpoint.removes and not endpoint.websocket:
                for org in story.a.names[:1]:
                    await self._try(story, endpoint, self._hints(story, endpoint)[-1], org)

    @staticmethod
    def _hints(story: Story, endpoint: Endpoint) -> list[Hint]:
        """The names that everybody uses, then those that this application's code looks up, then the body's."""
        mined = [name for name in story.hints if name not in NAMES][:MAX_MINED]
        hints = [_outside(NAMES, endpoint, HEADERS)]
        hints += [_outside(mined, endpoint)] if mined else []
        inside = [*NAMES, *(name for name in story.columns if name not in NAMES)]
        return [*hints, *_optional(endpoint), _inside(inside)]

    @staticmethod
    def _without_credentials(story: Story, request: Request) -> Request:
        """The request without hints that would replace what B authenticates with; cookies are added to B's."""
        credentials = {name.lower() for name, _ in story.b.headers} - {"cookie"}
        return replace(request, headers=tuple(pair for pair in request.headers if pair[0] not in credentials))

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Send B's request with a name of A's as a hint, between two with the name of nobody."""
        if endpoint.websocket or story.world.learned[endpoint.name].streams:
            return
        for org in story.a.names[:MAX_NAMES]:
            for hint in self._hints(story, endpoint):
                await self._try(story, endpoint, hint, org)

    async def _try(self, story: Story, endpoint: Endpoint, hint: Hint, of_a: str) -> None:
        async def ask(org: str, purpose: str) -> Exchange | None:
            await story.fresh(story.b, endpoint)
            request, values, origins = story.world.prepare(story.b, endpoint, story.template)
            hinted = hint(request, org)
            if hinted is None:
                return None
            hinted = self._without_credentials(story, hinted)
            return await story.world.send(story.b, endpoint, hinted, values, origins, purpose=purpose, own=False)

        nobody, nobody_else = (str(random_reference(_NAME, story.world.random, of_a)) for _ in range(2))
        resting = await story.rested(endpoint)
        before = await ask(nobody, "B names an org that does not exist")
        if before is None:
            return  # nothing to put a hint into
        settled = await story.snapshot(endpoint)
        hinted = await ask(of_a, "B names A")
        touched = await story.snapshot(endpoint)
        after = await ask(nobody_else, "B names an org that does not exist")
        if hinted is None or after is None:
            return
        story.world.coverage.count(self.code, endpoint.name)
        noise = resting.changed(settled, story.a)
        changed = [place for place in settled.changed(touched, story.a) if place not in noise]
        restless = await story.restless(endpoint, changed)
        await self._judge_rows(story, [place for place in changed if place not in restless], hinted)
        # A limit of the parameter may lie between the number of a real org and one that nobody has.
        if any(invalid(one.response) for one in (before, hinted, after)):
            return
        sent = [nobody, nobody_else, of_a]
        three = [facts(one.response, sent) for one in (before, hinted, after)]
        keys = sorted(caused(*three), key=lambda key: key != "status")
        if keys and await self._again(ask, keys[0], sent):
            leak(
                story.world,
                self,
                hinted,
                surface=keys[0],
                message=f"naming A makes {keys[0]} {said(three[1], keys[0])}, naming nobody {said(three[0], keys[0])}",
                also=[before],
            )

    async def _judge_rows(self, story: Story, changed: list[str], hinted: Exchange) -> None:
        if changed:
            leak(
                story.world,
                self,
                hinted,
                surface=changed[0],
                message=f"B named A, and A's data in {', '.join(changed[:3])} changed",
            )

    @staticmethod
    async def _again(ask: Callable[[str, str], Awaitable[Exchange | None]], key: str, sent: list[str]) -> bool:
        for _ in range(REPEATED):
            asked = [await ask(name, "once more") for name in (sent[0], sent[1], sent[2], sent[1])]
            calm, *three = (facts(one.response, sent) for one in asked if one is not None)
            # What every second request is answered is nobody's doing either.
            if key not in caused(*three) or not same(calm, three[0], key):
                return False
        return True


_NAME = Leaf("header", "org", "org")
