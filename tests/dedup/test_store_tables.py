"""How the rows lie in the database: partitions, heap-only updates, plans."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from interlock.dedup import ApprovalStore, Proposal
from interlock.dedup import store_rows as rows
from interlock.errors import StoreConflict
from interlock.schema import migrate
from interlock.tenancy import pre_org_resolution_scope, tenant_scope

STOP = Proposal.shell("docker stop web", display_id="a3f9c2")


async def test_counting_a_duplicate_is_a_heap_only_update(pools_on, database, db):
    async with pools_on(database) as pools:
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


async def test_the_same_on_sixteen_partitions(postgres_cluster, database_roles, pools_on, executing):
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
    async with pools_on(name) as pools:
        store = ApprovalStore(pools, lease=60, cooldown=60)
        for org in map(str, range(40)):
            with tenant_scope(org):
                decisions = await asyncio.gather(*(store.propose(STOP) for _ in range(4)))
                assert sum(decision.reason == "new" for decision in decisions) == 1
                row = await executing(store, STOP)
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


# What the release before had instead.
EARLIER = """
ALTER TABLE interlock.proposals ADD CONSTRAINT proposed CHECK (octet_length(content_hash) = 32);
GRANT INSERT (org_id, kind) ON interlock.proposals TO {admin};
DROP FUNCTION interlock.propose, interlock.propose_many;
CREATE FUNCTION interlock.propose(text, text, bytea, bytea, text, text[], text, bytea, bytea, bytea, integer, smallint,
  interval, interval, integer)
  RETURNS TABLE (relation text, proposal interlock.proposals) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION interlock.propose_many(text, text[], bytea[], bytea[], text[], text[], integer[], text[], bytea[],
  bytea[], bytea[], integer[], smallint, interval, interval, integer)
  RETURNS TABLE (place integer, relation text, proposal interlock.proposals) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION interlock.neighbours_of(interlock.proposals, integer)
  RETURNS TABLE (relation text, proposal interlock.proposals) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION interlock.yield_to_earlier(interlock.proposals, bytea, interval, OUT text, OUT interlock.proposals)
  LANGUAGE plpgsql AS $$ BEGIN END $$;
DROP TYPE interlock.proposal_answer CASCADE;
"""
ROUTINES = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'interlock'::regnamespace"


async def test_migrate_replaces_what_an_earlier_release_had(postgres_cluster, database_roles, pools_on, database):
    owner = await asyncpg.connect(postgres_cluster.dsn(database_roles.owner, database))
    roles = {"tenant_role": database_roles.app, "admin_role": database_roles.admin}
    routines = set(await owner.fetch(ROUTINES))
    await owner.execute(EARLIER.format(admin=f'"{database_roles.admin}"'))
    for _ in range(2):
        await migrate(owner, **roles)
    assert set(await owner.fetch(ROUTINES)) == routines
    assert not await owner.fetch("SELECT FROM pg_constraint WHERE conname = 'proposed'")
    assert not await owner.fetchval(
        "SELECT has_any_column_privilege($1, 'interlock.proposals', 'INSERT')", database_roles.admin
    )
    await owner.close()
    async with pools_on(database) as pools:
        with tenant_scope("a"):
            store = ApprovalStore(pools)
            assert [decision.reason for decision in await store.propose_many([STOP, STOP])] == ["new", "in_flight"]
            assert (await store.propose(STOP)).reason == "in_flight"


async def test_a_key_that_never_comes_free_is_not_waited_for(
    postgres_cluster, database_roles, pools_on, database, db_as_app
):
    owner = await asyncpg.connect(postgres_cluster.dsn(database_roles.owner, database))
    async with pools_on(database) as pools:
        with tenant_scope("a"):
            store = ApprovalStore(pools)
            await store.propose(STOP)
            async with db_as_app.transaction():
                await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', true)")
                await db_as_app.execute("UPDATE interlock.proposals SET lease_until = now() - interval '1 s'")
            # As if others always proposed it again first, with leases that are over.
            await owner.execute(
                "CREATE OR REPLACE FUNCTION interlock.let_lapse(org text, of_kind text, hash bytea) RETURNS void "
                "LANGUAGE plpgsql AS $$ BEGIN END $$"
            )
            with pytest.raises(StoreConflict) as conflict:
                await store.propose(STOP)
    assert conflict.value.retryable
    await owner.close()


FILL = """
INSERT INTO interlock.proposals (org_id, kind, content_hash, cmd_hash, lease_until, canon_version)
SELECT 'a', 'shell', sha256(n::text::bytea), 'filler', now() + interval '1 day', 1 FROM generate_series(1, 4000) AS n
"""
READ = """
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables
WHERE schemaname = 'interlock'
"""


@pytest.mark.parametrize("cooldown", [None, timedelta(hours=1)])
async def test_a_plan_made_on_empty_tables_serves_large_ones(db, db_as_app, cooldown):
    """Each proposal reads the rows of its own content and targets, whenever its session made its plans."""

    async def propose(command: str, former: str | None = None) -> None:
        arguments = rows.arguments_of(Proposal.shell(command), None, former and Proposal.shell(former))
        await db_as_app.fetch(rows.Propose.ONE.value, "a", *arguments, timedelta(hours=1), cooldown, 100)

    for n in range(8):  # a plan is kept after five uses
        for _ in range(2):
            await propose(f"docker stop {n}", f"docker stop  {n} now")
    async with db_as_app.transaction():
        await db_as_app.execute("SELECT set_config('app.current_org_id', 'a', true)")
        await db_as_app.execute(FILL)
    await db.execute("UPDATE interlock.proposals SET state = 'cancelled' WHERE get_byte(content_hash, 0) < 128")
    for proposed in (["docker stop new"], ["docker rm new"], ["docker stop new"], ["docker stop 1", "docker stop 2"]):
        # The counters may still hold what the transactions before did.
        async with db_as_app.transaction():
            before = await db_as_app.fetchval(READ)
            await propose(*proposed)
            assert (proposed, await db_as_app.fetchval(READ) - before < 20) == (proposed, True)
