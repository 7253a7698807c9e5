"""Watching proposals: nothing is lost, and nobody sees another org's."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from interlock.dedup import ApprovalStore, Proposal
from interlock.errors import ScopeConflict, ScopeEnded, ScopeMissing
from interlock.tenancy import create_tenant_pools, pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web")


@pytest.fixture
async def store(postgres_cluster, database_roles, database):
    dsns = (postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin))
    async with create_tenant_pools(*dsns, min_size=1, max_size=4) as pools:
        yield ApprovalStore(pools, lease=60)


async def test_each_change_is_yielded_once_with_its_version(store):
    with tenant_scope("a"):
        known = (await store.propose(STOP)).stored
        async with aclosing(store.watch(every=600)) as watch:
            assert (await anext(watch)).id == known.id
            await store.propose(STOP)  # a duplicate is no change
            await store.approve(known.id, by="operator")
            assert (await anext(watch)).approved_by == "operator"
            (claimed,) = await store.claim("worker")
            assert (await anext(watch)).state == "executing"
            await store.transition(claimed.id, "completed", attempt=1, by="worker")
            done = await anext(watch)
            assert (done.id, done.state, done.version) == (known.id, "completed", 4)


async def test_a_row_that_came_and_went_between_two_looks_is_seen(store):
    with tenant_scope("a"):
        async with aclosing(store.watch(every=600)) as watch:
            first = (await store.propose(STOP)).stored
            assert (await anext(watch)).id == first.id
            brief = (await store.propose(Proposal.shell("ls"))).stored
            await store.transition(brief.id, "cancelled", by="operator")
            seen = [(row.id, row.state) async for row in _until(watch, brief.id, "cancelled")]
            assert seen[-1] == (brief.id, "cancelled")


async def _until(watch, id, state):
    async for row in watch:
        yield row
        if (row.id, row.state) == (id, state):
            return


async def test_a_late_commit_is_not_missed(store, db):
    """The row gets its transaction number early and becomes visible late, after newer ones were seen."""
    with tenant_scope("a"):
        slow = (await store.propose(STOP)).stored
        async with aclosing(store.watch(every=600)) as watch:
            await anext(watch)
            transaction = db.transaction()
            await transaction.start()
            await db.execute("UPDATE interlock.proposals SET state = 'cancelled' WHERE id = $1", slow.id)
            for number in range(3):
                quick = (await store.propose(Proposal.shell(f"rm {number}"))).stored
                assert (await anext(watch)).id == quick.id
            await transaction.commit()
            late = await anext(watch)
            assert (late.id, late.state) == (slow.id, "cancelled")


async def test_orgs_are_watched_apart_and_together(store):
    with tenant_scope("a"):
        mine = (await store.propose(STOP)).stored
    with tenant_scope("b"):
        async with aclosing(store.watch(every=600)) as watch:
            news = asyncio.ensure_future(anext(watch))
            await asyncio.sleep(0.2)  # long enough for a leak to show; a pass does not depend on it
            assert not news.done()
            theirs = (await store.propose(STOP)).stored
            assert (await news).id == theirs.id
    with pre_org_resolution_scope("console"):
        async with aclosing(store.watch(every=600)) as watch:
            assert {(await anext(watch)).id, (await anext(watch)).id} == {mine.id, theirs.id}


async def test_nothing_is_lost_while_the_connections_are(postgres_cluster, database_roles, database, store):
    other = [Proposal.shell(f"rm {number}") for number in range(5)]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    with tenant_scope("a"):
        await store.propose(STOP)
        async with aclosing(store.watch(every=600)) as watch:
            await anext(watch)
            for proposal in other:
                postgres_cluster.execute(end)
                dsns = (postgres_cluster.dsn(role, database) for role in (database_roles.app, database_roles.admin))
                async with create_tenant_pools(*dsns, min_size=1, max_size=1) as pools:
                    made = (await ApprovalStore(pools, lease=60).propose(proposal)).stored
                assert (await anext(watch)).id == made.id


async def test_watching_needs_the_scope_it_was_started_in(store):
    with pytest.raises(ScopeMissing):
        await anext(store.watch())
    with tenant_scope("a"):
        await store.propose(STOP)
        watch = store.watch()
        await anext(watch)
    with tenant_scope("b"), pytest.raises((ScopeConflict, ScopeEnded)):
        await anext(watch)
    await watch.aclose()
