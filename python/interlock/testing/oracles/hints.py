"""O8: naming another org in a header, a parameter, a cookie or the body changes nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar

from interlock.testing.compare import caused, facts, said
from interlock.testing.exchange import Exchange, Request
from interlock.testing.finding import leak
from interlock.testing.oracles.base import Oracle
from interlock.testing.routes import Endpoint
from interlock.testing.story import Story

HEADERS = ("x-org-id", "x-organization-id", "x-tenant-id", "x-tenant", "x-org", "x-workspace-id", "x-account-id")
NAMES = ("org_id", "tenant_id", "organization_id", "org", "tenant", "workspace_id", "account_id")

Hint = Callable[[Request, str], Request | None]


def _outside(request: Request, org: str) -> Request:
    """Headers, query and cookie at once: they are independent, and one request is cheaper than twenty."""
    headers = [(name, org) for name in HEADERS] + [("cookie", "; ".join(f"{name}={org}" for name in NAMES))]
    present = {name for name, _ in request.query}
    query = [(name, org) for name in NAMES if name not in present]
    return replace(request, headers=(*request.headers, *headers), query=(*request.query, *query))


def _inside(request: Request, org: str) -> Request | None:
    """The body, where it is a JSON object."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    return replace(request, body=json.dumps({**body, **dict.fromkeys(NAMES, org)}).encode())


class HintOracle(Oracle):
    """Identity comes from the credentials alone: A's id is treated like the id of no org at all."""

    code: ClassVar[str] = "O8"
    title: ClassVar[str] = "an org hint is believed"

    async def afterwards(self, story: Story) -> None:
        """B reads everything once while naming A; the passive oracles look at the answers."""
        if story.a.id is None:
            return
        for endpoint in story.readable():
            if endpoint.in_schema:
                await story.world.supply(story.b, endpoint)
                request, values, origins = story.world.prepare(story.b, endpoint)
                hinted = self._without_credentials(story, _outside(request, story.a.id))
                await story.world.send(story.b, endpoint, hinted, values, origins, purpose="B names A", own=False)

    @staticmethod
    def _without_credentials(story: Story, request: Request) -> Request:
        """The request without hints that would replace what B authenticates with."""
        credentials = {name.lower() for name, _ in story.b.headers}
        return replace(request, headers=tuple(pair for pair in request.headers if pair[0] not in credentials))

    async def probe(self, story: Story, endpoint: Endpoint) -> None:
        """Send B's request with A's id as a hint, between two with the id of nobody."""
        if story.a.id is None or endpoint.websocket:
            return
        for hint in (_outside, _inside):
            await self._try(story, endpoint, hint)

    async def _try(self, story: Story, endpoint: Endpoint, hint: Hint) -> None:
        async def ask(org: str, purpose: str) -> Exchange | None:
            await story.fresh(story.b, endpoint)
            request, values, origins = story.world.prepare(story.b, endpoint, story.template)
            hinted = hint(request, org)
            if hinted is None:
                return None
            hinted = self._without_credentials(story, hinted)
            return await story.world.send(story.b, endpoint, hinted, values, origins, purpose=purpose, own=False)

        nobody, nobody_else = self._nobody(story), self._nobody(story)
        resting = await story.rested()
        before = await ask(nobody, "B names an org that does not exist")
        if before is None:
            return  # nothing to put a hint into
        settled = await story.snapshot()
        hinted = await ask(story.a.id or "", "B names A")
        touched = await story.snapshot()
        after = await ask(nobody_else, "B names an org that does not exist")
        if hinted is None or after is None:
            return
        story.world.coverage.count(self.code, endpoint.name)
        await self._judge_rows(
            story, resting.changed(settled, story.a.id or ""), settled.changed(touched, story.a.id or ""), hinted
        )
        sent = [nobody, nobody_else, story.a.id or ""]
        three = [facts(one.response, sent) for one in (before, hinted, after)]
        keys = sorted(caused(*three), key=lambda key: key != "status")
        if keys and await self._again(ask, keys[0], sent, story):
            leak(
                story.world,
                self,
                hinted,
                surface=keys[0],
                message=f"naming A makes {keys[0]} {said(three[1], keys[0])}, naming nobody {said(three[0], keys[0])}",
                also=[before],
            )

    async def _judge_rows(self, story: Story, noise: list[str], changed: list[str], hinted: Exchange) -> None:
        tables = [table for table in changed if table not in noise]
        if tables:
            leak(
                story.world,
                self,
                hinted,
                surface=f"table {tables[0]}",
                message=f"B named A, and rows of A in {', '.join(tables)} changed",
            )

    @staticmethod
    async def _again(
        ask: Callable[[str, str], Awaitable[Exchange | None]], key: str, sent: list[str], story: Story
    ) -> bool:
        three = [await ask(sent[0], ""), await ask(story.a.id or "", ""), await ask(sent[1], "")]
        return key in caused(*(facts(one.response, sent) for one in three if one is not None))

    @staticmethod
    def _nobody(story: Story) -> str:
        like = story.a.id or ""
        if like.isdecimal():
            return str(story.world.random.randrange(1_900_000_000, 2_000_000_000))
        try:
            uuid.UUID(like)
        except ValueError:
            return "".join("x" if character.isalnum() else character for character in like)
        return str(uuid.UUID(int=story.world.random.getrandbits(128), version=4))
