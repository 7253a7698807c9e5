"""The doctor on a corpus: every planted defect is found, every correct schema is left alone, every fix mends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from interlock.cli import main
from interlock.tenancy import create_tenant_pools, probe
from interlock.tenancy.probe import Report, Severity
from interlock.tenancy.probe.formats import FORMATS
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

CORPUS = Path(__file__).with_name("doctor_corpus")
ROLE = "corpus_app"
_TABLE = """
CREATE TABLE t (org_id {type} NOT NULL, id int NOT NULL, is_public boolean, status text, PRIMARY KEY (org_id, id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO corpus_app;
"""
_OWN = "CREATE POLICY p ON t USING (org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid));"
TABLES = {
    "": "",
    "uuid": _TABLE.format(type="uuid"),
    "text": _TABLE.format(type="text"),
    "guarded": _TABLE.format(type="uuid") + _OWN,
}


@dataclass(frozen=True)
class Schema:
    """One block of the corpus."""

    name: str
    finds: str
    sql: str


def corpus(file: str) -> list[Schema]:
    text = (CORPUS / file).read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: ", text, flags=re.MULTILINE)[1:]
    found = []
    for block in blocks:
        name, _, sql = block.partition("\n")
        said = dict(re.findall(r"^-- (finds|on): (\w+)$", sql, flags=re.MULTILINE))
        found.append(Schema(name, said.get("finds", ""), TABLES[said.get("on", "")] + sql))
    return found


PLANTED = [*corpus("planted.sql"), *corpus("planted_more.sql")]


@pytest.fixture(scope="module")
def corpus_server(postgres_cluster: EmbeddedPostgres, postgres_template: str) -> Iterator[str]:
    """A database with the corpus' roles; each schema is made in it and dropped again."""
    for statement in Roles(owner="corpus_owner", app=ROLE, admin="corpus_admin").create_statements():
        postgres_cluster.execute(statement)
    for group in ("corpus_reports", "corpus_group"):
        postgres_cluster.execute(f"DO $$ BEGIN CREATE ROLE {group}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres_cluster.execute(f"GRANT corpus_group TO {ROLE}")
    name = "doctor_corpus"
    postgres_cluster.create_database(name, template=postgres_template)
    postgres_cluster.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    postgres_cluster.execute(
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA interlock TO {ROLE}", database=name
    )
    postgres_cluster.execute(f"GRANT EXECUTE ON FUNCTION interlock.current_org(text) TO {ROLE}", database=name)
    yield name
    postgres_cluster.drop_database(name)


@pytest.fixture
async def superuser(postgres_cluster: EmbeddedPostgres, corpus_server: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_cluster.dsn(database=corpus_server))
    await connection.execute("CREATE SCHEMA corpus AUTHORIZATION corpus_owner; SET search_path = corpus")
    await connection.execute(
        f"GRANT USAGE ON SCHEMA corpus TO {ROLE}, corpus_admin; GRANT CREATE ON SCHEMA corpus TO corpus_admin"
    )
    yield connection
    await connection.execute("DROP PUBLICATION IF EXISTS corpus_publication; RESET ROLE; DROP SCHEMA corpus CASCADE")
    await connection.execute(f"ALTER ROLE {ROLE} IN DATABASE {corpus_server} RESET ALL")
    await connection.execute(f"ALTER ROLE {ROLE} RESET ALL; REVOKE pg_read_server_files FROM {ROLE}")
    await connection.close()


async def plant(connection: asyncpg.Connection, schema: Schema, database: str) -> None:
    await connection.execute(schema.sql.replace(":database", database))
    # Everything belongs to the owner, but for what the schema gave to somebody else.
    await connection.execute("""
        DO $do$ DECLARE r record; BEGIN
            FOR r IN SELECT oid::regclass AS name, relkind FROM pg_class WHERE relnamespace = 'corpus'::regnamespace
                     AND relkind IN ('r', 'p', 'v', 'm') AND pg_get_userbyid(relowner) = 'postgres' LOOP
                EXECUTE format('ALTER TABLE %s OWNER TO corpus_owner', r.name);
            END LOOP;
            FOR r IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'corpus'::regnamespace
                     AND pg_get_userbyid(proowner) = 'postgres' AND NOT proleakproof LOOP
                EXECUTE format('ALTER FUNCTION %s OWNER TO corpus_owner', r.name);
            END LOOP;
        END $do$""")


def alarms(report: Report) -> list[str]:
    return [
        f"{found.id} {found.object}: {found.message} [{found.evidence}]"
        for found in report.findings
        if found.severity is not Severity.INFO
    ]


@pytest.mark.parametrize("schema", corpus("correct.sql"), ids=lambda schema: schema.name)
async def test_a_correct_schema_is_left_alone(
    schema: Schema, superuser: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, corpus_server: str
) -> None:
    await plant(superuser, schema, corpus_server)
    report = await probe.run(postgres_cluster.dsn(ROLE, corpus_server))
    assert alarms(report) == []
    assert report.unchecked == []
    assert report.ok(strict=True)


@pytest.mark.parametrize("schema", PLANTED, ids=lambda schema: schema.name)
async def test_a_planted_defect_is_found_and_its_fix_mends_it(
    schema: Schema, superuser: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, corpus_server: str
) -> None:
    await plant(superuser, schema, corpus_server)
    dsn = postgres_cluster.dsn(ROLE, corpus_server)
    report = await probe.run(dsn)
    found = [
        finding for finding in report.findings if finding.id == schema.finds and finding.severity is not Severity.INFO
    ]
    assert found, alarms(report)
    assert report.unchecked == []
    assert all(finding.fix for finding in found)
    for fix in dict.fromkeys(finding.fix for finding in report.findings if finding.fix):
        await superuser.execute(fix)
    again = await probe.run(dsn)
    assert not [finding for finding in again.findings if finding in report.findings and finding.fix]


async def test_the_admin_sees_the_same_as_the_runtime_role(
    superuser: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, corpus_server: str
) -> None:
    await plant(superuser, PLANTED[0], corpus_server)
    own = await probe.run(postgres_cluster.dsn(ROLE, corpus_server))
    other = await probe.run(postgres_cluster.dsn(database=corpus_server), role=ROLE)
    assert own.findings == other.findings


async def test_bad_roles_are_errors(postgres_cluster: EmbeddedPostgres, corpus_server: str) -> None:
    report = await probe.run(postgres_cluster.dsn("corpus_admin", corpus_server))
    assert [finding.id for finding in report.findings if finding.severity is Severity.ERROR] == ["D01"]
    postgres_cluster.execute(f"GRANT corpus_admin TO {ROLE}")
    try:
        report = await probe.run(postgres_cluster.dsn(ROLE, corpus_server))
        assert "D02" in [finding.id for finding in report.findings]
    finally:
        postgres_cluster.execute(f"REVOKE corpus_admin FROM {ROLE}")
    report = await probe.run(postgres_cluster.dsn(database=corpus_server), role="nobody_at_all")
    assert report.unchecked
    assert not report.ok(strict=True)


async def test_it_changes_nothing(
    superuser: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, corpus_server: str
) -> None:
    await plant(superuser, corpus("correct.sql")[0], corpus_server)
    counters = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
    before = await superuser.fetchval(counters)
    objects = await superuser.fetchval("SELECT count(*) FROM pg_class")
    await probe.run(postgres_cluster.dsn(ROLE, corpus_server))
    assert await superuser.fetchval(counters) == before
    assert await superuser.fetchval("SELECT count(*) FROM pg_class") == objects


async def test_pools_can_be_given(postgres_cluster: EmbeddedPostgres, corpus_server: str) -> None:
    addresses = [postgres_cluster.dsn(role, corpus_server) for role in (ROLE, "corpus_admin")]
    async with create_tenant_pools(*addresses, min_size=0, max_size=1) as pools:
        report = await probe.run(pools)
    assert report.role == ROLE
    assert alarms(report) == []


async def test_a_server_that_is_not_there_is_said() -> None:
    with EmbeddedPostgres() as server:
        address = server.dsn()
    with pytest.raises(OSError, match=r"."):
        await probe.run(address)


async def test_sessions_that_vanish_half_way_leave_what_was_found_and_say_what_was_not(
    superuser: asyncpg.Connection, postgres_cluster: EmbeddedPostgres, corpus_server: str
) -> None:
    # The policy waits for a lock that is never given, so that the probe is in the middle when its sessions end.
    await superuser.execute(
        TABLES["text"] + "GRANT TRUNCATE ON t TO corpus_app;"
        "CREATE POLICY p ON t USING (org_id = current_setting('app.current_org_id', true)"
        " OR pg_advisory_xact_lock_shared(7) IS NULL); SELECT pg_advisory_lock(7)"
    )
    looking = asyncio.create_task(probe.run(postgres_cluster.dsn(ROLE, corpus_server)))
    ended = 0
    while not looking.done():
        ended += await superuser.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        )
        await asyncio.wait({looking}, timeout=0.01)
    report = await looking
    assert ended
    assert "D19" in {finding.id for finding in report.findings}
    assert {gap.id for gap in report.unchecked} == {"D07"}
    assert not report.ok(strict=True)


def test_the_command(
    postgres_cluster: EmbeddedPostgres, corpus_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = postgres_cluster.dsn(ROLE, corpus_server)
    assert main(["doctor", "--dsn", dsn]) == 0
    assert f"role {ROLE}" in capsys.readouterr().out
    assert main(["doctor", "--dsn", postgres_cluster.dsn("corpus_admin", corpus_server), "--format", "sarif"]) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert run["results"][0]["level"] == "error"
    assert main(["doctor", "--dsn", dsn, "--role", "nobody_at_all", "--strict", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["unchecked"]
    assert main(["doctor", "--dsn", "postgresql://u:s3cret@127.0.0.1:1/x"]) == 2
    assert "s3cret" not in capsys.readouterr().err
    assert set(FORMATS) == {"text", "json", "sarif"}


def test_the_command_needs_an_address(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["doctor"]) == 2
    assert "--dsn" in capsys.readouterr().err
