"""Five recorded cycles of a model, driven through the service; every figure is checked against the record.

In the record each proposal names its ``action``: what a person would call the same thing to do. The service never
sees that name.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from union_station.section import Client, Figure, Org, Section

CYCLES = Path(__file__).with_name("dedup_cycles.json")
APPROVED_AFTER = 3
STOP = "stop-kometa"
ON_KOMETA = ("stop-kometa", "stop-kometa-slowly", "remove-kometa", "restart-kometa", "start-kometa")

Item = dict[str, Any]


@dataclass
class Outcome:
    """What the service answered: for each action the rows it led to, and the other way round."""

    rows_of: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    actions_of: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    cards: int = 0
    neighbours: int = 0
    transcript: list[str] = field(default_factory=list)

    def note(self, item: Item, answer: dict[str, Any]) -> None:
        action = (item["org"], item["action"])
        self.rows_of[action].add(answer["row"])
        self.actions_of[answer["row"]].add(action)
        self.cards += answer["reason"] == "new"
        if item["cycle"] == 1 and item["org"] == "north" and item["action"] in ON_KOMETA:
            self.neighbours = max(self.neighbours, len(answer["cluster"]) + len(answer["related"]))
        if action == ("north", STOP):
            self.transcript.append(
                f"cycle {item['cycle']}: id {item['id']}  {item['command']!r:44} {answer['reason']:9} "
                f"row {answer['row'][:8]}, seen {answer['seen_count']}"
            )


async def section(client: Client) -> Section:
    """Propose five cycles for two orgs, approve one action in the middle, and compare with the record."""
    items: list[Item] = json.loads(CYCLES.read_text())
    orgs = {name: await client.create_org(f"Dedup {name}") for name in ("north", "south")}
    outcome = Outcome()
    for cycle in range(1, max(item["cycle"] for item in items) + 1):
        client.progress(f"cycle {cycle}")
        for name, org in orgs.items():
            await _propose(client, org, [i for i in items if (i["cycle"], i["org"]) == (cycle, name)], outcome)
        if cycle == APPROVED_AFTER:
            (approved,) = outcome.rows_of["north", STOP]
            await _approve_and_wait(client, orgs["north"], approved)
    seen = await _seen(client, orgs, outcome)
    executed = (await client.http.get("/proposals/executed", headers=client.headers(orgs["north"]))).json()
    return Section(
        title="Dedup: ids are labels, content is the key",
        figures=[
            *_naive(items),
            *_ours(items, outcome),
            Figure("times seen, summed over the rows", seen, ok=seen == len(items)),
            Figure("rows shown beside another on kometa-run", outcome.neighbours, ok=outcome.neighbours == 4),
            Figure("executions of the approved stop", len(executed), ok=executed == ["docker stop kometa-run"]),
            Figure("another org's id answered as a random one", *await _indistinguishable(client, orgs, approved)),
        ],
        transcript=outcome.transcript,
    )


def _naive(items: list[Item]) -> list[Figure]:
    """What keying by the model's id does to the same record."""
    first: dict[tuple[str, str], str] = {}
    lost = 0
    for item in items:
        lost += first.setdefault((item["org"], item["id"]), item["action"]) != item["action"]
    actions = len({(item["org"], item["action"]) for item in items})
    return [
        Figure("proposals in five cycles", len(items), ok=len(items) >= 200),
        Figure("approval cards, keyed by id", len(first), ok=len(first) > 4 * actions),
        Figure("proposals that keying by id drops though they are new", lost, ok=lost > 0),
    ]


def _ours(items: list[Item], outcome: Outcome) -> list[Figure]:
    actions = {(item["org"], item["action"]) for item in items}
    split = sum(len(rows) > 1 for rows in outcome.rows_of.values())
    merged = sum(len(found) > 1 for found in outcome.actions_of.values())
    both = sum(("south", action) in actions for org, action in actions if org == "north")
    return [
        Figure("approval cards, keyed by content", outcome.cards, ok=outcome.cards == len(actions)),
        Figure("actions split over several cards", split, ok=split == 0),
        Figure("cards that hide a different action", merged, ok=merged == 0),
        Figure("actions proposed in both orgs, a card in each", both, ok=both > 0),
    ]


async def _propose(client: Client, org: Org, items: list[Item], outcome: Outcome) -> None:
    emitted = [{key: item[key] for key in item if key not in ("cycle", "org", "action")} for item in items]
    answer = await client.http.post("/proposals/cycle", json={"approval_needed": emitted}, headers=client.headers(org))
    answer.raise_for_status()
    for item, decision in zip(items, answer.json(), strict=True):
        outcome.note(item, decision)


async def _approve_and_wait(client: Client, org: Org, row: str) -> None:
    headers = client.headers(org)
    # Twice, as an impatient operator would: it is one approval, of one execution.
    for _ in range(2):
        await client.http.post(f"/proposals/{row}/approve", json={"by": "operator"}, headers=headers)
    for _ in range(100):
        if (await client.http.get(f"/proposals/{row}", headers=headers)).json()["state"] == "completed":
            return
        await asyncio.sleep(0.1)


async def _seen(client: Client, orgs: dict[str, Org], outcome: Outcome) -> int:
    """The sum of ``seen_count`` over all rows: nothing was dropped silently."""
    seen = 0
    for row, ((name, _),) in outcome.actions_of.items():
        answer = await client.http.get(f"/proposals/{row}", headers=client.headers(orgs[name]))
        seen += answer.json()["seen_count"]
    return seen


async def _indistinguishable(client: Client, orgs: dict[str, Org], row: str) -> tuple[str, bool]:
    headers = client.headers(orgs["south"])
    answers = [
        await client.http.post(f"/proposals/{id}/approve", json={"by": "operator"}, headers=headers)
        for id in (row, uuid.uuid4())
    ]
    same = len({(answer.status_code, answer.content) for answer in answers}) == 1
    return f"{answers[0].status_code} both times" if same else "differs", same and answers[0].status_code == 404
