"""The sweep on small programs: each rule finds what it must, and nothing on code that is right."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.errors import SweepError
from interlock.sweep import Report, sweep
from interlock.sweep.rules import RULES

Project = Callable[..., Report]

HEADER = """\
import asyncio, contextlib, functools, logging
import asyncpg
from fastapi import APIRouter, Depends, FastAPI
from interlock.tenancy import create_tenant_pools, pre_org_resolution_scope, spawn_scoped, tenant_scope, with_tenant
logger = logging.getLogger(__name__)
app = FastAPI()
router = APIRouter()
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write the modules of a package ``shop`` and sweep it; ``main`` gets the usual imports."""

    def write(main: str = "", /, **modules: str) -> Report:
        package = tmp_path / "shop"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        for name, text in {"main": HEADER + textwrap.dedent(main), **modules}.items():
            (package / f"{name}.py").write_text(textwrap.dedent(text))
        return sweep([package])

    return write


def found(report: Report) -> list[str]:
    assert not report.unchecked
    return [finding.rule for finding in report.findings]


BAD = {
    "IL101 lifespan": """
        @contextlib.asynccontextmanager
        async def lifespan(app):
            await warm(app.state.pool)
            yield
        async def warm(pool):
            async with pool.acquire() as connection:
                await connection.fetch("SELECT 1")
        app = FastAPI(lifespan=lifespan)
        """,
    "IL101 on_event": """
        @app.on_event("startup")
        async def load():
            await app.state.pool.fetch("SELECT 1")
        """,
    "IL101 lifespan by partial": """
        async def lifespan(app, extra):
            await app.state.pools.execute("SELECT 1")
            yield
        app = FastAPI(lifespan=functools.partial(lifespan, extra=1))
        """,
    "IL102 plain loop": """
        async def sweeper(pool):
            while True:
                await pool.execute("DELETE FROM jobs")
                await asyncio.sleep(60)
        """,
    "IL102 create_task through a class attribute": """
        class Worker:
            def __init__(self, db: asyncpg.Pool):
                self.db = db
            async def run(self):
                await self.tick()
            async def tick(self):
                async with self.db.acquire() as connection, connection.transaction():
                    pass
        async def start(db: asyncpg.Pool):
            worker = Worker(db)
            asyncio.create_task(worker.run())
        """,
    "IL102 scheduler decorator": """
        scheduler = make()
        @scheduler.scheduled_job("interval", minutes=5)
        async def report():
            async with get_pool().acquire() as connection:
                pass
        """,
    "IL102 closure": """
        def start(pool):
            async def tick():
                await pool.fetchval("SELECT 1")
            asyncio.ensure_future(tick())
        """,
    "IL103 module level": """
        pool = asyncpg.create_pool()
        connection = pool.acquire()
        """,
    "IL103 pool callback": """
        pools = None
        async def init(connection):
            await pools.fetch("SELECT 1")
        async def boot():
            await asyncpg.create_pool(init=init)
        """,
    "IL104 callback": """
        async def setup(connection):
            await connection.execute("SET LOCAL app.org = '1'")
        async def boot():
            await asyncpg.create_pool(setup=setup)
        """,
    "IL104 outside a transaction": """
        async def read(pool, org):
            async with pool.acquire() as connection:
                await connection.execute("SELECT set_config('app.org', $1, true)", org)
                return await connection.fetch("SELECT 1")
        """,
    "IL105 handler": """
        @router.get("/all")
        async def everything():
            return await report()
        async def report():
            with pre_org_resolution_scope("report"):
                pass
        """,
    "IL105 dependency": """
        async def as_admin():
            async with pre_org_resolution_scope("x"):
                yield
        @app.post("/x")
        async def handler(_=Depends(as_admin)):
            pass
        """,
    "IL106 literal": """
        async def boot():
            return await asyncpg.connect("postgresql://app:s3cret@db/shop")
        """,
    "IL106 f-string through a constant": """
        PASSWORD = "s3cret"
        async def boot(host):
            return await asyncpg.create_pool(dsn=f"postgres://admin:{PASSWORD}@{host}/shop")
        """,
    "IL106 password": """
        async def boot():
            return await asyncpg.create_pool(host="db", user="app", password="s3cret")
        """,
    "IL107 default parameter": """
        async def read(org_id: int = 1):
            pass
        """,
    "IL107 or": """
        def current(request):
            return request.state.tenant_id or "default"
        """,
    "IL107 None used": """
        async def read(connection, org_id=None):
            return await connection.fetch("SELECT 1 WHERE org_id = $1", org_id)
        """,
    "IL107 get": """
        def current(headers):
            return headers.get("workspace_id", 1)
        """,
    "IL108 async generator": """
        async def rows(pools):
            with tenant_scope(1):
                async for row in pools.cursor():
                    yield row
        """,
    "IL108 sync dependency": """
        def scope():
            with tenant_scope(1):
                yield
        @app.get("/x")
        def handler(_=Depends(scope)):
            pass
        """,
    "IL109 base class": """
        from starlette.middleware.base import BaseHTTPMiddleware
        class Scope(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                async with tenant_scope(request.state.org):
                    return await call_next(request)
        """,
    "IL109 decorator": """
        @app.middleware("http")
        async def scope(request, call_next):
            with tenant_scope(1):
                return await call_next(request)
        """,
    "IL110 internals": """
        from interlock.tenancy.pools import TenantPools
        @router.get("/x")
        async def handler():
            pass
        """,
    "IL111 middleware": """
        class Deadline:
            async def __call__(self, scope, receive, send):
                logger.critical("deadline passed")
        """,
    "IL111 exception handler": """
        @app.exception_handler(Exception)
        async def failed(request, error):
            logger.exception("failed")
        """,
}

GOOD = {
    "scoped lifespan": """
        async def lifespan(app):
            with pre_org_resolution_scope("start-up"):
                await app.state.pool.fetch("SELECT 1")
            yield
        app = FastAPI(lifespan=lifespan)
        """,
    "scope and acquire in one async with": """
        async def loop(pool):
            while True:
                async with pre_org_resolution_scope("tick"), pool.acquire() as connection:
                    await connection.fetch("SELECT 1")
                await asyncio.sleep(1)
        """,
    "decorator": """
        @pre_org_resolution_scope("tick")
        async def tick(pool):
            await pool.fetch("SELECT 1")
        async def start(pool):
            asyncio.create_task(tick(pool))
        """,
    "alias of a scope, stored scope, partial": """
        as_system = functools.partial(pre_org_resolution_scope, "system")
        SYSTEM = pre_org_resolution_scope("system")
        scoped = tenant_scope
        async def one(pool):
            while True:
                with as_system():
                    await pool.fetch("SELECT 1")
                with SYSTEM:
                    await pool.fetch("SELECT 1")
                with scoped(1):
                    await pool.fetch("SELECT 1")
                await asyncio.sleep(1)
        """,
    "wrapper written by hand": """
        @contextlib.contextmanager
        def system():
            with pre_org_resolution_scope("system"):
                yield
        def scoped_job(function):
            @functools.wraps(function)
            async def run(*args):
                async with pre_org_resolution_scope("job"):
                    return await function(*args)
            return run
        @scoped_job
        async def job(pool):
            await pool.fetch("SELECT 1")
        async def lifespan(app):
            with system():
                await app.state.pool.fetch("SELECT 1")
            asyncio.create_task(job(app.state.pool))
            yield
        app = FastAPI(lifespan=lifespan)
        """,
    "with_tenant and spawn_scoped": """
        async def work(pool):
            await pool.fetch("SELECT 1")
        async def start(pool):
            asyncio.create_task(with_tenant(1, work(pool)))
            spawn_scoped(work(pool))
        """,
    "exit stack": """
        async def lifespan(app):
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(pre_org_resolution_scope("start-up"))
                await app.state.pool.fetch("SELECT 1")
                yield
        app = FastAPI(lifespan=lifespan)
        """,
    "a handler acquires in the request's scope": """
        @router.get("/x")
        async def handler(request):
            return await request.app.state.pools.fetch("SELECT 1")
        """,
    "a lock and a thread pool are no database pools": """
        lock = asyncio.Lock()
        class Thread_Pool: pass
        async def loop(executor):
            pool = Thread_Pool()
            while True:
                await lock.acquire()
                pool.execute(1)
                await asyncio.sleep(1)
        """,
    "a retry loop is no daemon": """
        async def fetch(pool):
            attempt = 0
            while attempt < 3:
                await pool.fetch("SELECT 1")
                await asyncio.sleep(1)
        """,
    "local setting inside a transaction": """
        async def read(pool):
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = 5")
        """,
    "the resolver works before the tenant is known": """
        async def resolve(connection):
            with pre_org_resolution_scope("log-in"):
                return 1
        app.add_middleware(object, resolve=resolve)
        """,
    "settings, not literals": """
        async def boot(settings):
            return await create_tenant_pools(settings.tenant_dsn, settings.admin_dsn)
        """,
    "an absent tenant is refused": """
        async def read(connection, org_id=None):
            if org_id is None:
                raise ValueError
            return await connection.fetch("SELECT 1", org_id)
        """,
    "an async-yield dependency and a context manager may hold a scope": """
        async def scope():
            async with tenant_scope(1):
                yield
        @app.get("/x")
        async def handler(_=Depends(scope)):
            pass
        @contextlib.asynccontextmanager
        async def system():
            async with pre_org_resolution_scope("x"):
                yield
        """,
    "gated lines": """
        class Deadline:
            async def __call__(self, scope, receive, send):
                if self.gate.allow():
                    logger.critical("deadline passed")
                decision = self.gate.check()
                if decision:
                    logger.error("again")
                if not self.gate.fire():
                    return
                logger.error("once")
        @app.exception_handler(Exception)
        async def failed(request, error):
            with gate.transition() as fired:
                logger.exception("failed")
            logger.info("quiet")
        """,
}


@pytest.mark.parametrize("name", BAD)
def test_finds(project: Project, name: str) -> None:
    assert found(project(BAD[name])) == [name.split()[0]]


@pytest.mark.parametrize("name", GOOD)
def test_is_silent(project: Project, name: str) -> None:
    assert project(GOOD[name]).findings == []


def test_every_rule_has_a_bad_example_and_a_page() -> None:
    assert {name.split()[0] for name in BAD} == set(RULES)
    pages = Path(__file__).resolve().parents[1] / "docs" / "rules"
    assert {page.stem for page in pages.glob("IL*.md")} == set(RULES)


def test_the_trail_crosses_modules_and_names_the_way(project: Project) -> None:
    report = project(
        """
        from shop.jobs import start
        app = FastAPI(lifespan=start)
        """,
        jobs="""
        from shop.db import Store
        async def start(app):
            store = Store(app.state.pool)
            await store.load()
            yield
        """,
        db="""
        class Base:
            async def load(self):
                await self.read()
        class Store(Base):
            def __init__(self, pool):
                self._pool = pool
            async def read(self):
                async with self._pool.acquire():
                    pass
        """,
    )
    # `self` of Base.load may be a Store; only the class itself is followed, so the read is not claimed.
    assert found(report) == []
    report = project(
        """
        from shop.jobs import start
        app = FastAPI(lifespan=start)
        """,
        db="""
        class Store:
            def __init__(self, pool):
                self._pool = pool
            async def load(self):
                await self.read()
            async def read(self):
                async with self._pool.acquire():
                    pass
        """,
    )
    [finding] = report.findings
    assert finding.trail == ("shop.jobs.start (lifespan=)", "shop.db.Store.load", "shop.db.Store.read")
    assert "pre_org_resolution_scope" in finding.message


def test_a_suppression_needs_a_reason_and_a_comment(project: Project) -> None:
    bad = "async def read(org_id: int = 1):{}\n    pass\n"
    assert found(project(bad.format("  # interlock: ok single-tenant build"))) == []
    assert found(project(bad.format("  # interlock: ok"))) == ["IL107"]
    assert found(project("async def read(org_id: int = 1): '# interlock: ok a string'\n")) == ["IL107"]


def test_baseline_keeps_old_findings_apart_and_survives_moved_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = Path("app.py")
    code.write_text("def a(org_id: int = 1): pass\n")
    assert main(["sweep", ".", "--regenerate-baseline"]) == 0
    code.write_text("\n\n\ndef a(org_id: int = 1): pass\n")
    assert main(["sweep", "."]) == 0
    code.write_text("def a(org_id: int = 1): pass\ndef b(org_id: int = 1): pass\n")
    assert main(["sweep", "."]) == 1
    assert "app.py:2:21: IL107" in capsys.readouterr().out


def test_what_cannot_be_checked_is_said_and_strict_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("def (:\n")
    Path("nul.py").write_bytes(b"x = '\0'\n")
    Path("deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)
    Path("cycle_a.py").write_text("from cycle_b import x\n")
    Path("cycle_b.py").write_text("from cycle_a import x\n")
    assert main(["sweep", "."]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("broken.py: not checked", "nul.py: not checked", "deep.py: not checked"))
    assert main(["sweep", ".", "--strict"]) == 1
    assert main(["sweep", "absent.py", "--strict"]) == 1


def test_formats_and_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("def a(org_id: int = 1): pass\n")
    assert main(["sweep", ".", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "IL107"
    assert main(["sweep", ".", "--format", "sarif"]) == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert run["results"][0]["ruleId"] == "IL107"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(RULES)
    assert main(["sweep", ".", "--select", "IL999"]) == 2
    assert main(["sweep", ".", "--baseline", "absent.json"]) == 2
    with pytest.raises(SweepError):
        sweep(["."], rules={"IL999"})


def test_tests_are_left_out(tmp_path: Path) -> None:
    for name in ("test_app.py", "conftest.py", "tests/app.py"):
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def a(org_id: int = 1): pass\n")
    report = sweep([tmp_path / "project"])
    assert (report.files, report.findings) == (0, [])


def test_the_project_itself_is_clean() -> None:
    root = Path(__file__).resolve().parents[1]
    report = sweep([root / "python", root / "examples"])
    assert [str(finding) for finding in report.findings] == []
    assert report.unchecked == []
