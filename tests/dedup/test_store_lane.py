"""Proposals go over a session that serves nothing else, or over the pool, and always for the org of the scope."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, Proposal
from interlock.dedup import store_rows as rows
from interlock.errors import ScopeEnded, ScopeMissing
from interlock.tenancy import current_org_id, pre_org_resolution_scope, tenant_scope
from interlock.tenancy.scope import FreshRoot

STOP = Proposal.shell("docker stop web")
SCOPE = "SELECT current_setting('app.current_org_id', true)"

TRANSITION = "SELECT t.verdict FROM interlock.transition($1, $2, NULL, 'x', NULL, interval '1 minute') AS t"


async def propose_on(connection: asyncpg.Connection, org: str | None, proposal: Proposal = STOP) -> asyncpg.Record:
    arguments = (*rows.arguments_of(proposal, None, None), timedelta(seconds=60), timedelta(seconds=60), 100)
    return (await connection.fetch(rows.Propose.ONE.value, org, *arguments))[0]


async def test_one_at_a_time_needs_no_checkout_and_several_at_once_share_the_pool(pools, store):
    with tenant_scope("a"):
        before = pools.stats().tenant.checkouts
        assert [(await store.propose(STOP)).reason for _ in range(3)] == ["new", "in_flight", "in_flight"]
        assert pools.stats().tenant.checkouts == before
        decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(12)))
        assert {decision.reason for decision in decisions} == {"in_flight"}
        assert {decision.stored.seen_count for decision in decisions} == set(range(4, 16))
        assert pools.stats().tenant.checkouts > before


async def test_orgs_take_turns_on_the_session(store):
    seen = {}
    for org in ("a", "b", "a", "b"):
        with tenant_scope(org):
            decision = await store.propose(STOP)
            seen.setdefault(org, []).append((decision.reason, decision.stored.org_id))
    assert seen == {org: [("new", org), ("in_flight", org)] for org in ("a", "b")}


async def test_a_rival_that_is_waited_for_holds_up_nobody_else(store, rival, somebody_waits):
    with tenant_scope("a"):
        async with rival(STOP) as transaction:
            waiting = asyncio.create_task(store.propose(STOP))
            await somebody_waits()
            assert (await store.propose(Proposal.shell("docker stop api"))).reason == "new"
            assert not waiting.done()
            await transaction.rollback()
        assert (await waiting).reason == "new"


async def comes_to(db: asyncpg.Connection, expected: int, query: str, *args: object) -> None:
    """Return once the query answers with the expected number."""
    for _ in range(3000):
        if await db.fetchval(query, *args) == expected:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{query} did not come to {expected}")


async def test_a_proposal_that_is_cancelled_leaves_the_session_usable(store, db, rival, somebody_waits):
    with tenant_scope("a"):
        async with rival(STOP) as transaction:
            waiting = asyncio.create_task(store.propose(STOP))
            await somebody_waits()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await comes_to(db, 0, "SELECT count(*) FROM pg_locks WHERE NOT granted")
            await transaction.rollback()
        assert (await store.propose(STOP)).reason == "new"


async def test_where_the_role_may_log_in_no_more_the_pool_serves(postgres_cluster, pools_on, database, app_role_name):
    async with pools_on(database, max_size=1) as pools:
        postgres_cluster.execute(f'ALTER ROLE "{app_role_name}" CONNECTION LIMIT 0')
        try:
            with tenant_scope("a"):
                assert (await ApprovalStore(pools).propose(STOP)).reason == "new"
        finally:
            postgres_cluster.execute(f'ALTER ROLE "{app_role_name}" CONNECTION LIMIT -1')
        assert pools.stats().tenant.checkouts == 1


async def test_closing_waits_for_what_is_under_way_and_leaves_no_session(
    pools_on, database, db, app_role_name, rival, somebody_waits
):
    async with pools_on(database) as closing:
        with tenant_scope("a"):
            async with rival(STOP) as transaction:
                waiting = asyncio.create_task(ApprovalStore(closing).propose(STOP))
                await somebody_waits()
                closed = asyncio.create_task(closing.close())
                await asyncio.sleep(0)
                assert not closed.done()
                await transaction.commit()
            assert (await waiting).reason == "in_flight"
        await closed


async def test_expired_and_ended_sessions_are_replaced(pools, store, db, app_role_name):
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
    with tenant_scope("a"):
        for renew in (lambda: None, pools.expire_connections, pools.expire_connections):
            if (renewing := renew()) is not None:
                await renewing
            await store.propose(STOP)
            assert (await store.propose(STOP)).duplicate
    # One of the pool and one apart from it, once the server has noticed who has gone.
    await comes_to(db, 2, sessions, app_role_name)


async def test_a_scope_that_is_none_or_over_sends_nothing(store, db):
    with FreshRoot(), pytest.raises(ScopeMissing):
        await store.propose(STOP)
    with pre_org_resolution_scope("look around"), pytest.raises(ScopeMissing, match="tenant_scope"):
        await store.propose(STOP)

    async def later() -> None:
        await asyncio.sleep(0)
        await store.propose(STOP)

    with tenant_scope("a"):
        task = asyncio.create_task(later())
    with pytest.raises(ScopeEnded):
        await task
    assert await db.fetchval("SELECT count(*) FROM interlock.proposals") == 0


@pytest.mark.parametrize("scope", [None, "b"])
async def test_the_scope_of_the_session_is_what_it_was(db_as_app, scope):
    if scope is not None:
        await db_as_app.execute("SELECT set_config('app.current_org_id', $1, false)", scope)
    async with db_as_app.transaction():
        for expected in ("new", "in_flight"):
            assert (await propose_on(db_as_app, "a"))["relation"] == expected
            assert (await db_as_app.fetchval(SCOPE) or None) == scope
        await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', true)")
        for step in ("executing", "completed"):
            row = await propose_on(db_as_app, "a")
            await db_as_app.fetch(
                "SELECT t.verdict FROM interlock.transition($1, $2, NULL, 'x', NULL, interval '1 minute') t",
                row["id"],
                step,
            )
        await db_as_app.execute("SELECT set_config('app.current_org_id', $1, true)", scope)
        assert (await propose_on(db_as_app, "a"))["relation"] == "cooldown"
        assert (await db_as_app.fetchval(SCOPE) or None) == scope
    assert (await db_as_app.fetchval(SCOPE) or None) == scope
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await propose_on(db_as_app, None)
    assert (await db_as_app.fetchval(SCOPE) or None) == scope


async def test_the_lane_runs_its_own_statements_alone(pools):
    with tenant_scope("a"), pytest.raises(TypeError, match="acquire"):
        await pools.fetch_own("SELECT 1")
    assert current_org_id() is None


async def test_a_payload_goes_with_its_proposal_and_not_before(store, db, db_as_app):
    with tenant_scope("a"):
        kept, gone = [(await store.propose(Proposal.shell(f"rm {name}"))).stored.id for name in ("kept", "gone")]
    await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', false)")
    assert await db_as_app.execute("DELETE FROM interlock.proposal_payloads") == "DELETE 0"
    await db.execute("DELETE FROM interlock.proposals WHERE id = $1", gone)
    left = await db.fetch("SELECT proposal_id FROM interlock.proposal_payloads")
    assert [row["proposal_id"] for row in left] == [kept]


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE interlock.proposals SET lease_until = NULL",
        "UPDATE interlock.proposals SET ended_at = now()",
        "UPDATE interlock.proposals SET approved_by = 'nobody'",
        "UPDATE interlock.proposals SET approved_at = now()",
        "UPDATE interlock.proposals SET state = 'executing'",
    ],
)
async def test_no_row_is_without_what_its_state_needs(store, db_as_app, forged):
    with tenant_scope("a"):
        await store.propose(Proposal.shell(f"rm {uuid4()}"))
    await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', false)")
    with pytest.raises(asyncpg.CheckViolationError):
        await db_as_app.execute(forged)


@pytest.mark.parametrize(
    "forged",
    [
        "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, canon_version) "
        "VALUES ('a', 'shell', sha256('x'), 'x', 1)",
        "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, lease_until, canon_version) "
        "VALUES ('a', 'shell', 'short', 'x', now(), 1)",
    ],
)
async def test_no_row_begins_without_an_identity_and_an_end(db_as_app, forged):
    await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', false)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match='policy "proposed"'):
        await db_as_app.execute(forged)


async def test_the_admin_role_whom_no_policy_binds_proposes_nothing(postgres_cluster, database_roles, database):
    admin = await asyncpg.connect(postgres_cluster.dsn(database_roles.admin, database))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await admin.execute(
            "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, canon_version) "
            "VALUES ('a', 'shell', 'short', 'x', 1)"
        )
    await admin.close()
