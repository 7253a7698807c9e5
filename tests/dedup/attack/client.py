"""One client process of the attack: acts at random, and keeps an fsynced log of what it was told.

Run as ``python client.py CONFIG LOG``. Started again after it was killed, it goes on where its log ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from interlock.dedup import ApprovalStore, Proposal, StoredProposal, store_rows
from interlock.errors import LifecycleError, ProposalNotFound, StoreError
from interlock.tenancy import TenantPools, create_tenant_pools, current_org_id, tenant_scope

SHORT_LEASE = 0.05

# The last but one: the server's farewell came between two statements, and asyncpg was not done reading it.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class RollBackError(Exception):
    """Ends a transaction that shall leave nothing."""


class Log:
    """One JSON object a line, on the disk before the next step."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        self.asked = sum(json.loads(line)["op"] == "ask" for line in lines if line.endswith("}"))
        self.name = path.name
        self._file = path.open("a")
        # A line that the kill cut short stays one line of its own.
        self._file.write("\n")

    def write(self, op: str, **fields: Any) -> None:
        self._file.write(json.dumps({"op": op, **fields}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Client:
    def __init__(self, config: dict[str, Any], log: Log, pools: TenantPools) -> None:
        self.config = config
        self.log = log
        self.pools = pools
        self.store = ApprovalStore(pools, lease=60)
        # A client that starts again goes on elsewhere.
        self.random = random.Random(f"{config['seed']} {log.name} {log.asked}")
        self.name = str(os.getpid())

    async def run(self) -> None:
        while self.log.asked < self.config["proposals"]:
            with tenant_scope(self.random.choice(self.config["orgs"])):
                await self.random.choices(
                    [self.propose, self.propose_many, self.roll_back, self.die_inside, self.work, self.tidy],
                    weights=[60, 6, 6, self.config["kills"], 20, 8],
                )[0]()

    def proposal(self) -> Proposal:
        number = self.random.randrange(self.config["contents"])
        # Cosmetics and labels drift; the content is the number.
        blanks = " " * self.random.randint(1, 3)
        return Proposal.shell(f"docker stop{blanks}web-{number}", display_id=os.urandom(3).hex())

    def ask(self, *proposals: Proposal, commits: bool = True) -> None:
        for proposal in proposals:
            self.log.asked += 1
            self.log.write("ask", key=proposal.content_hash, org=self.org, commits=commits)

    @property
    def org(self) -> str:
        return str(current_org_id())

    async def propose(self) -> None:
        proposal = self.proposal()
        self.ask(proposal)
        try:
            decision = await self.store.propose(proposal)
        except StoreError as error:
            return await self.lost(error)
        self.decided(decision)
        if decision.stored.state == "pending" and self.random.random() < 0.6:
            await self.attempt(lambda: self.store.approve(decision.stored.id, by=self.name))
        return None

    async def propose_many(self) -> None:
        proposals = [self.proposal() for _ in range(5)]
        self.ask(*proposals)
        try:
            decisions = await self.store.propose_many(proposals)
        except StoreError as error:
            return await self.lost(error)
        for decision in decisions:
            self.decided(decision)
        return None

    def decided(self, decision: Any) -> None:
        row = decision.stored
        self.log.write("decided", key=row.content_hash, org=self.org, id=str(row.id), reason=decision.reason)

    async def roll_back(self) -> None:
        await self.in_transaction(kill=False)

    async def die_inside(self) -> None:
        await self.in_transaction(kill=True)

    async def in_transaction(self, *, kill: bool) -> None:
        proposal = self.proposal()
        self.ask(proposal, commits=False)
        arguments = store_rows.arguments_of(proposal, None, None)
        try:
            async with self.pools.transaction() as connection:
                await connection.fetch(
                    store_rows.Propose.ONE.value, current_org_id(), *arguments, timedelta(seconds=60), None, 10
                )
                if kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise RollBackError
        except RollBackError:
            return
        except LOST:
            await asyncio.sleep(0.05)

    async def work(self) -> None:
        lease = self.random.choice([5, 5, 5, SHORT_LEASE])
        for row in await self.attempt(lambda: self.store.claim(self.name, limit=2, lease=lease)) or []:
            await self.execute(row, late=lease == SHORT_LEASE)

    async def execute(self, row: StoredProposal, *, late: bool) -> None:
        self.log.write("execute", id=str(row.id), attempt=row.attempt)
        if self.random.random() < self.config["kills"] / 100:
            os.kill(os.getpid(), signal.SIGKILL)
        if late:
            # Slower than the lease, which another client or this very call must have noticed.
            await asyncio.sleep(4 * SHORT_LEASE)
        done = await self.attempt(
            lambda: self.store.transition(row.id, "completed", attempt=row.attempt, by=self.name, reason="ran")
        )
        if done:
            self.log.write("completed", id=str(row.id), attempt=row.attempt, late=late)

    async def tidy(self) -> None:
        """Notice lapses, and decide as an operator what becomes of interrupted executions."""
        await self.attempt(self.store.expire)
        rows = await self.attempt(self.store.in_flight) or []
        for row in [row for row in rows if row.state == "interrupted"][:2]:
            again = self.random.random() < 0.5
            moved = await self.attempt(
                lambda row=row, again=again: self.store.transition(
                    row.id, "executing" if again else "cancelled", attempt=row.attempt, by=self.name, lease=5
                )
            )
            if moved and again:
                await self.attempt(lambda row=row: self.report_late(row))
                await self.execute(moved, late=False)

    async def report_late(self, row: StoredProposal) -> None:
        """The worker of the attempt before wakes up at last."""
        await self.store.transition(row.id, "completed", attempt=row.attempt, by=self.name)
        self.log.write("completed", id=str(row.id), attempt=row.attempt, late=True)

    async def attempt(self, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await call()
        except (LifecycleError, ProposalNotFound):
            return None
        except StoreError as error:
            return await self.lost(error)

    async def lost(self, error: StoreError) -> None:
        if not error.retryable:
            raise error
        await asyncio.sleep(0.05)


async def main(config: dict[str, Any], log: Log) -> None:
    for patience in range(600):
        try:
            async with create_tenant_pools(*config["dsns"], min_size=1, max_size=2) as pools:
                await Client(config, log, pools).run()
            return
        except LOST:
            # The server is being restarted.
            if patience == 599:
                raise
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1]), Log(Path(sys.argv[2]))))
