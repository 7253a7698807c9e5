"""The doctor beside pgrls on the corpus of tests/doctor_corpus: planted defects found, alarms on correct schemas.

pgrls is run on the same server with its defaults (`pip install pgrls`; give its path with --pgrls). A schema counts as
found by it if a rule fires that does not fire on the first correct schema, whose table has the same shape.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from interlock.tenancy import probe
from interlock.tenancy.probe import Severity
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles
from test_doctor import PLANTED, ROLE, Schema, corpus, plant

DATABASE = "corpus"


@contextmanager
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as running:
        for statement in Roles(owner="corpus_owner", app=ROLE, admin="corpus_admin").create_statements():
            running.execute(statement)
        running.execute("CREATE ROLE corpus_reports; CREATE ROLE corpus_group")
        running.execute(f"GRANT corpus_group TO {ROLE}")
        running.create_database(DATABASE)
        running.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
        running.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=DATABASE)
        yield running


@asynccontextmanager
async def planted(dsn: str, schema: Schema):
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SCHEMA corpus AUTHORIZATION corpus_owner; SET search_path = corpus")
    await connection.execute(f"GRANT USAGE ON SCHEMA corpus TO {ROLE}, corpus_admin")
    await connection.execute("GRANT CREATE ON SCHEMA corpus TO corpus_admin")
    try:
        await plant(connection, schema, DATABASE)
        yield
    finally:
        await connection.execute("RESET ROLE; DROP PUBLICATION IF EXISTS corpus_publication")
        await connection.execute("DROP SCHEMA corpus CASCADE")
        await connection.execute(f"ALTER ROLE {ROLE} IN DATABASE {DATABASE} RESET ALL")
        await connection.execute(f"REVOKE pg_read_server_files FROM {ROLE}")
        await connection.close()


def pgrls_rules(program: str, dsn: str) -> set[str]:
    done = subprocess.run(
        [program, "lint", "--database-url", dsn, "--schemas", "corpus", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    start = done.stdout.find("{")
    if start < 0:
        raise SystemExit(f"pgrls printed no JSON: {done.stderr or done.stdout}")
    found = json.loads(done.stdout[start:])
    return {str(item.get("rule_id") or item.get("rule")) for item in found.get("violations", [])}


async def run(program: str | None) -> None:
    print(f"{platform.machine()} {platform.system()}, CPython {platform.python_version()}")
    with server() as running:
        print(f"PostgreSQL {running.version}, pgrls {version(program) if program else 'not given'}")
        dsn = running.dsn(database=DATABASE)
        files = [*corpus("correct.sql"), *(schema for schema in PLANTED if "interlock." not in schema.sql)]
        usual: set[str] = set()
        table: dict[str, list[int]] = {"correct": [0, 0, 0], "policies": [0, 0, 0], "objects": [0, 0, 0]}
        seconds = [0.0, 0.0]
        for schema in files:
            async with planted(dsn, schema):
                began = time.perf_counter()
                report = await probe.run(running.dsn(ROLE, DATABASE))
                seconds[0] += time.perf_counter() - began
                found_ids = {found.id for found in report.findings if found.severity is not Severity.INFO}
                began = time.perf_counter()
                fired = pgrls_rules(program, dsn) if program else set()
                seconds[1] += time.perf_counter() - began
            if not schema.finds:
                usual = usual or fired
                row, hit = "correct", (bool(found_ids), bool(fired - usual))
            else:
                row = "policies" if schema.finds in ("D07", "D08") else "objects"
                hit = (schema.finds in found_ids, bool(fired - usual))
            table[row][0] += 1
            table[row][1] += hit[0]
            table[row][2] += hit[1]
    print(f"{'':34}{'schemas':>9}{'interlock':>11}{'pgrls':>8}")
    labels = {
        "correct": "false alarms on correct schemas",
        "policies": "planted in policies, found",
        "objects": "planted in other objects, found",
    }
    for row, label in labels.items():
        schemas, ours, theirs = table[row]
        print(f"{label:34}{schemas:9}{ours:11}{theirs:8}")
    print(f"{'seconds a schema':34}{'':9}{seconds[0] / len(files):11.2f}{seconds[1] / len(files):8.2f}")


def version(program: str) -> str:
    return subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgrls", default=shutil.which("pgrls"))
    asyncio.run(run(parser.parse_args().pgrls))
