"""The approval store on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, LifecycleState, Proposal
from interlock.errors import (
    InterlockError,
    LifecycleError,
    ProposalNotFound,
    ScopeMissing,
    StaleAttempt,
    StoreConflict,
    StoreConnectionLost,
    StoreError,
    UnknownState,
)
from interlock.schema import migrate
from interlock.tenancy import TenantPools, create_tenant_pools, pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


@asynccontextmanager
async def pools_on(cluster: Any, roles: Any, database: str, **options: Any) -> AsyncIterator[TenantPools]:
    dsns = cluster.dsn(roles.app, database), cluster.dsn(roles.admin, database)
    async with create_tenant_pools(*dsns, **{"min_size": 1, "max_size": 8} | options) as pools:
        yield pools


@pytest.fixture
async def pools(postgres_cluster, database_roles, database) -> AsyncIterator[TenantPools]:
    async with pools_on(postgres_cluster, database_roles, database) as pools:
        yield pools


@pytest.fixture
def store(pools) -> ApprovalStore:
    return ApprovalStore(pools, lease=60, cooldown=None)


async def lapse(db: asyncpg.Connection, id: Any) -> None:
    await db.execute("UPDATE interlock.proposals SET lease_until = clock_timestamp() WHERE id = $1", id)


async def executing(store: ApprovalStore, proposal: Proposal = STOP) -> Any:
    row = (await store.propose(proposal)).stored
    await store.approve(row.id, by="operator")
    (claimed,) = await store.claim("worker")
    assert claimed.id == row.id
    return claimed


# --- one in flight


async def test_a_duplicate_names_the_row_and_is_counted(store):
    with tenant_scope("a"):
        first = await store.propose(STOP)
        again = await store.propose(Proposal.shell("docker  stop 'web'", display_id="a3f7c2"))
        assert (first.duplicate, first.collapsed_into, first.reason) == (False, None, "new")
        assert (again.duplicate, again.reason, again.collapsed_into.id) == (True, "in_flight", first.stored.id)
        row = again.collapsed_into
        assert (row.seen_count, row.display_id, row.state, row.org_id) == (2, "a3f9c2", LifecycleState.PENDING, "a")
        assert (row.content_hash, row.cmd_hash, row.logical_keys) == (STOP.content_hash, STOP.cmd_hash, ("stop:web",))
        assert row.last_seen_at > row.first_seen_at == first.stored.first_seen_at
        assert await store.in_flight() == [row]
        assert (await store.payload(row.id)).command == "docker stop web"
    with tenant_scope("b"):
        assert (await store.propose(STOP)).reason == "new"


@pytest.mark.parametrize("state", ["executing", "interrupted"])
async def test_every_in_flight_state_suppresses(store, db, state):
    with tenant_scope("a"):
        row = await executing(store)
        if state == "interrupted":
            await store.transition(row.id, "interrupted", attempt=row.attempt, by="worker")
        assert (await store.propose(STOP)).collapsed_into.state == state


async def test_many_at_once_have_one_winner(pools, store):
    with tenant_scope("a"):
        decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(40)))
    assert sum(decision.reason == "new" for decision in decisions) == 1
    assert len({decision.stored.id for decision in decisions}) == 1
    assert sorted(decision.stored.seen_count for decision in decisions) == list(range(1, 41))


async def test_a_proposal_waits_for_an_uncommitted_rival_and_outlives_its_rollback(pools, store, db):
    from interlock.dedup import store_rows

    with tenant_scope("a"):
        batch = store_rows.Batch.of([STOP])
        arguments = (*batch.arguments(None), timedelta(60), None, 1)
        async with pools.acquire() as rival:
            transaction = rival.transaction()
            await transaction.start()
            await rival.fetch(store_rows.PROPOSE, *arguments)
            waiting = asyncio.create_task(store.propose(STOP))
            await _somebody_waits(db)
            assert not waiting.done()
            await transaction.rollback()
        assert (await waiting).reason == "new"


async def _somebody_waits(db: asyncpg.Connection) -> None:
    for _ in range(1000):
        if await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.01)
    pytest.fail("nobody waits for a lock")


async def test_propose_many_answers_by_position_and_folds(store):
    other = Proposal.http("POST", "/x", {"a": 1})
    with tenant_scope("a"):
        known = (await store.propose(other)).stored
        decisions = await store.propose_many([STOP, other, STOP, Proposal.shell("ls"), STOP])
        assert [decision.reason for decision in decisions] == ["new", "in_flight", "in_flight", "new", "in_flight"]
        assert decisions[1].collapsed_into.id == known.id
        assert decisions[0].stored == decisions[2].collapsed_into == decisions[4].collapsed_into
        assert decisions[0].stored.seen_count == 3
        assert await store.propose_many([]) == []
        with pytest.raises(ValueError, match="target states"):
            await store.propose_many([STOP], target_states=[])
        with pytest.raises(ValueError, match="10001"):
            await store.propose_many([STOP] * 10_001)


async def test_batches_in_opposite_order_do_not_deadlock(store):
    proposals = [Proposal.shell(f"rm {number}") for number in range(60)]
    with tenant_scope("a"):
        for _ in range(5):
            results = await asyncio.gather(
                store.propose_many(proposals),
                store.propose_many(proposals[::-1]),
                store.propose_many(random.sample(proposals, len(proposals))),
            )
        assert all(decision.duplicate for result in results for decision in result)
        assert {row.seen_count for row in await store.in_flight()} == {15}


async def test_neighbours_are_shown_and_not_suppressed(store):
    with tenant_scope("a"):
        rows = [(await store.propose(Proposal.shell(command))).stored for command in (
            "docker stop -t 5 web", "docker rm -f web", "docker stop db", "docker stop -t 6 web")]  # fmt: skip
        await store.transition(rows[3].id, "cancelled", by="operator")
        decision = await store.propose(STOP)
        assert decision.reason == "new"
        assert [row.id for row in decision.logical_cluster] == [rows[0].id]
        assert [row.id for row in decision.related] == [rows[1].id]
    with tenant_scope("b"):
        assert (await store.propose(STOP)).logical_cluster == ()


# --- leases, cooldown


async def test_a_lapsed_pending_row_makes_way_and_is_audited(store, db):
    with tenant_scope("a"):
        first = (await store.propose(STOP)).stored
        await lapse(db, first.id)
        assert await store.in_flight() == []
        second = await store.propose(STOP)
        assert second.reason == "new"
        assert (await store.get(first.id)).state == "expired"
        await lapse(db, second.stored.id)
        with pytest.raises(LifecycleError) as caught:
            await store.approve(second.stored.id, by="operator")
        assert caught.value.from_ == "expired"
    audited = await db.fetch("SELECT org_id, actor, action, details->>'reason' AS why FROM interlock.audit")
    assert [tuple(row) for row in audited] == [("a", "interlock", "proposal.expired", "lease lapsed")] * 2


async def test_a_lapsed_execution_keeps_the_key_and_fences_its_worker(store, db):
    with tenant_scope("a"):
        slow = await executing(store)
        await lapse(db, slow.id)
        with pytest.raises(LifecycleError) as caught:
            await store.transition(slow.id, "completed", attempt=slow.attempt, by="worker")
        assert (caught.value.from_, caught.value.to) == ("interrupted", "completed")
        assert (await store.propose(STOP)).collapsed_into.state == "interrupted"
        assert await store.claim("another") == []
        retried = await store.transition(slow.id, "executing", by="operator", reason="it had not run")
        assert (retried.attempt, retried.approved_by) == (2, "operator")
        with pytest.raises(StaleAttempt):
            await store.transition(slow.id, "completed", attempt=slow.attempt, by="worker")
        done = await store.transition(slow.id, "completed", attempt=2, by="another")
        assert done.state == "completed"
        assert (await store.propose(STOP)).reason == "new"


async def test_expire_spans_orgs_only_before_resolution(store, db):
    for org in ("a", "b"):
        with tenant_scope(org):
            row = await executing(store)
            await lapse(db, row.id)
            await lapse(db, (await store.propose(Proposal.shell("ls"))).stored.id)
    with tenant_scope("a"):
        assert sorted(row.state for row in await store.expire()) == ["expired", "interrupted"]
    with pre_org_resolution_scope("sweep"):
        assert {(row.org_id, row.state) for row in await store.expire()} == {("b", "expired"), ("b", "interrupted")}
        assert await store.expire() == []


async def test_cooldown_collapses_into_what_ended_unless_the_target_changed(pools, db):
    store = ApprovalStore(pools, lease=60, cooldown=timedelta(hours=1))
    with tenant_scope("a"):
        first = (await store.propose(STOP, target_state="image 1")).stored
        await store.transition(first.id, "cancelled", by="operator")
        again = await store.propose(STOP, target_state=b"image 1")
        assert (again.reason, again.collapsed_into.id, again.collapsed_into.seen_count) == ("cooldown", first.id, 2)
        assert again.collapsed_into.state == "cancelled"
        assert await store.in_flight() == []
        many = await store.propose_many([STOP, STOP], target_states=["image 1", "image 1"])
        assert [decision.reason for decision in many] == ["cooldown", "cooldown"]
        changed = await store.propose(STOP, target_state="image 2")
        assert changed.reason == "new"
        await store.transition(changed.stored.id, "executing", by="operator")
        await store.transition(changed.stored.id, "failed", by="operator")
        await db.execute("UPDATE interlock.proposals SET ended_at = ended_at - interval '1 hour'")
        assert (await store.propose(STOP, target_state="image 1")).reason == "new"
        assert await db.fetchval("SELECT count(*) FROM interlock.proposals") == 3


# --- approval and execution


async def test_an_approval_is_one_fact_and_is_consumed_by_one_execution(store, db):
    with tenant_scope("a"):
        row = (await store.propose(STOP)).stored
        assert await store.claim("worker") == []
        approved = await store.approve(str(row.id), by="first")
        assert (await store.approve(row.id, by="second")) == approved
        assert (approved.approved_by, approved.state, approved.version) == ("first", "pending", 2)
        claims = await asyncio.gather(*(store.claim(f"worker {number}", limit=3) for number in range(8)))
        (claimed,) = [row for claim in claims for row in claim]
        assert (claimed.state, claimed.attempt) == ("executing", 1)
        duplicate = await store.propose(STOP)
        assert duplicate.duplicate
        await store.transition(row.id, "completed", attempt=1, by="worker", reason="ran")
        fresh = (await store.propose(STOP)).stored
        assert fresh.approved_by is None
        assert await store.claim("worker") == []
        with pytest.raises(LifecycleError):
            await store.approve(row.id, by="late")
    trail = await db.fetch("SELECT actor, action, subject FROM interlock.audit ORDER BY at")
    assert [tuple(row) for row in trail] == [
        ("first", "proposal.approved", str(row.id)),
        (next(f"worker {n}" for n, claim in enumerate(claims) if claim), "proposal.executing", str(row.id)),
        ("worker", "proposal.completed", str(row.id)),
    ]


async def test_claim_spans_orgs_before_resolution_and_takes_the_oldest_approval(store):
    rows = {}
    for org in ("b", "a"):
        with tenant_scope(org):
            rows[org] = (await store.propose(STOP)).stored
            await store.approve(rows[org].id, by="operator")
    with pre_org_resolution_scope("daemon"):
        assert {row.org_id for row in await store.in_flight()} == {"a", "b"}
        assert [row.org_id for row in await store.claim("daemon")] == ["b"]
    with tenant_scope("b"):
        assert await store.claim("worker", limit=5) == []
        with pytest.raises(ValueError, match="limit"):
            await store.claim("worker", limit=0)


async def test_the_transition_table_holds_for_the_store_and_for_the_table(store, db):
    executed = ["executing"]
    paths = {
        "pending": [],
        "executing": executed,
        "interrupted": [*executed, "interrupted"],
        "completed": [*executed, "completed"],
        "failed": [*executed, "failed"],
        "cancelled": ["cancelled"],
        "expired": ["expired"],
    }
    for before, after in itertools.product(LifecycleState, repeat=2):
        with tenant_scope("a"):
            row = (await store.propose(Proposal.shell(f"from {before} to {after}"))).stored
            for step in paths[before]:
                await store.transition(row.id, step, by="operator")
            if before.may_become(after):
                assert (await store.transition(row.id, after, by="operator")).state is after
                continue
            with pytest.raises(LifecycleError) as caught:
                await store.transition(row.id, after, by="operator")
            assert (caught.value.from_, caught.value.to) == (before, after)
        if before is not after:
            with pytest.raises(asyncpg.CheckViolationError):
                await db.execute("UPDATE interlock.proposals SET state = $1 WHERE id = $2", after.value, row.id)


# --- boundaries


async def test_another_orgs_id_is_answered_like_a_random_one(store):
    with tenant_scope("a"):
        theirs = (await store.propose(STOP)).stored
    with tenant_scope("b"):
        for call in (
            lambda id: store.approve(id, by="eve"),
            lambda id: store.transition(id, "cancelled", by="eve"),
            lambda id: store.transition(id, "completed", attempt=9, by="eve"),
            store.payload,
        ):
            answers = set()
            for id in (theirs.id, str(theirs.id), uuid4(), "a3f9c2"):
                with pytest.raises(ProposalNotFound) as caught:
                    await call(id)
                answers.add((type(caught.value), str(caught.value).replace(str(id), "…")))
            assert len(answers) == 1
        assert await store.get(theirs.id) is None is await store.get(uuid4())


async def test_scopes(store):
    for call in (lambda: store.propose(STOP), lambda: store.approve(uuid4(), by="x"), store.in_flight):
        with pytest.raises(ScopeMissing):
            await call()
    with pre_org_resolution_scope("test"):
        for call in (
            lambda: store.propose(STOP),
            lambda: store.propose_many([STOP]),
            lambda: store.approve(uuid4(), by="x"),
            lambda: store.transition(uuid4(), "failed", by="x"),
            lambda: store.get(uuid4()),
        ):
            with pytest.raises(ScopeMissing, match="tenant_scope"):
                await call()


async def test_the_runtime_role_can_neither_forge_nor_erase(store, db_as_app):
    with tenant_scope("a"):
        row = (await store.propose(STOP)).stored
        await store.approve(row.id, by="operator")
    await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', false)")
    assert await db_as_app.execute("DELETE FROM interlock.proposals") == "DELETE 0"
    for forged in (
        "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, canon_version, state) "
        "VALUES ('a', 'shell', sha256('x'), 'x', 1, 'completed')",
        "UPDATE interlock.proposals SET org_id = 'b'",
        "UPDATE interlock.proposals SET content_hash = sha256('x')",
        "UPDATE interlock.proposal_payloads SET canonical = 'rm -rf /'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db_as_app.execute(forged)
    with pytest.raises(asyncpg.CheckViolationError):
        await db_as_app.execute("UPDATE interlock.proposals SET state = 'completed'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await db_as_app.execute(
            "INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, lease_until, canon_version) "
            "VALUES ('b', 'shell', sha256('x'), 'x', now(), 1)"
        )


async def test_settings_and_words_are_checked(pools, store):
    for settings in ({"lease": 0}, {"lease": -1}, {"lease": 60, "cooldown": timedelta(0)}):
        with pytest.raises(ValueError, match="positive"):
            ApprovalStore(pools, **settings)
    with tenant_scope("a"), pytest.raises(UnknownState):
        await store.transition(uuid4(), "paused", by="operator")


# --- isolation levels, failures


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_stricter_isolation_works_or_says_try_again(postgres_cluster, database_roles, database, level):
    settings = {"default_transaction_isolation": level}
    async with pools_on(postgres_cluster, database_roles, database, server_settings=settings) as pools:
        store = ApprovalStore(pools, lease=60)
        conflicts: set[tuple[bool, str | None]] = set()

        async def insist(proposal: Proposal) -> Any:
            while True:
                try:
                    return await store.propose(proposal)
                except StoreConflict as error:
                    conflicts.add((error.retryable, error.sqlstate))

        with tenant_scope("a"):
            decisions = await asyncio.gather(*(insist(STOP) for _ in range(16)))
            assert sum(decision.reason == "new" for decision in decisions) == 1
            (row,) = await store.in_flight()
        assert row.seen_count == 16
        assert conflicts <= {(True, "40001")}


async def test_a_lost_connection_is_a_typed_error_and_nothing_is_lost(postgres_cluster, store, app_role_name):
    with tenant_scope("a"):
        known = (await store.propose(STOP)).stored
        postgres_cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{app_role_name}'"
        )
        lost = []
        while len(lost) < 10:
            try:
                again = await store.propose(STOP)
            except StoreConnectionLost as error:
                lost.append(error.retryable)
            else:
                break
        assert again.collapsed_into.id == known.id
        assert lost == [True] * len(lost) != []


async def test_a_database_that_was_not_migrated_says_so(postgres_cluster, database_roles):
    name = f"bare_{uuid4().hex[:8]}"
    postgres_cluster.create_database(name)
    try:
        async with pools_on(postgres_cluster, database_roles, name, doctor="off", mode="merged") as pools:
            with tenant_scope("a"), pytest.raises(StoreError, match="migrate") as caught:
                await ApprovalStore(pools).propose(STOP)
        assert not caught.value.retryable
        assert isinstance(caught.value, InterlockError)
    finally:
        postgres_cluster.drop_database(name)


# --- storage


async def test_counting_a_duplicate_is_a_heap_only_update(postgres_cluster, database_roles, database, db):
    async with pools_on(postgres_cluster, database_roles, database) as pools:
        store = ApprovalStore(pools, lease=60)
        with tenant_scope("a"):
            for _ in range(4):
                for number in range(20):
                    await store.propose(Proposal.shell(f"rm {number}"))
    # A session reports what it did when it ends.
    query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'proposals'"
    for _ in range(200):
        updated, heap_only = await db.fetchrow(query)
        if updated:
            break
        await asyncio.sleep(0.05)
    assert (updated, heap_only) == (60, 60)


async def test_the_same_on_sixteen_partitions(postgres_cluster, database_roles):
    name = f"parted_{uuid4().hex[:8]}"
    postgres_cluster.create_database(name)
    postgres_cluster.execute(f'ALTER DATABASE {name} OWNER TO "{database_roles.owner}"')
    owner = await asyncpg.connect(postgres_cluster.dsn(database_roles.owner, name))
    await owner.execute("SET interlock.partitions = '16'")
    for _ in range(2):
        await migrate(owner, tenant_role=database_roles.app, admin_role=database_roles.admin)
    parts = await owner.fetchval("SELECT count(*) FROM pg_partition_tree('interlock.proposals') WHERE isleaf")
    assert parts == 16
    await owner.close()
    async with pools_on(postgres_cluster, database_roles, name) as pools:
        store = ApprovalStore(pools, lease=60, cooldown=60)
        for org in map(str, range(40)):
            with tenant_scope(org):
                decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(4)))
                assert sum(decision.reason == "new" for decision in decisions) == 1
                row = await executing(store)
                await store.transition(row.id, "completed", attempt=1, by="worker")
                assert (await store.propose(STOP)).reason == "cooldown"
                assert (await store.propose(Proposal.shell("docker start web"))).related == ()
        with pre_org_resolution_scope("count"):
            assert len(await store.in_flight()) == 40
    async with asyncio.timeout(30):
        admin = await asyncpg.connect(postgres_cluster.dsn(database_roles.admin, name))
        used = await admin.fetchval("SELECT count(DISTINCT tableoid) FROM interlock.proposals")
        await admin.close()
    assert used > 10
    postgres_cluster.drop_database(name)
