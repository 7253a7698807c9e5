"""What the sweep looks for by name: pools, scopes, gates, handlers, schedulers."""

from __future__ import annotations

import re

SCOPES = {"tenant_scope": "tenant", "pre_org_resolution_scope": "pre-org"}
# These take a callable or coroutine and run it inside a scope.
SCOPED_RUNNERS = {"with_tenant", "spawn_scoped"}
MANAGERS = {"contextlib.contextmanager", "contextlib.asynccontextmanager"}
STACK_ENTERS = {"enter_context", "enter_async_context"}
MANUAL_ENTERS = {"__enter__", "__aenter__"}

POOL_TYPES = {
    "asyncpg.Pool",
    "asyncpg.pool.Pool",
    "interlock.tenancy.TenantPools",
    "interlock.tenancy.pools.TenantPools",
}
# Libraries with pools, or things called so, of their own.
OTHER_DRIVERS = {
    "aiohttp", "aiomysql", "aioodbc", "aiopg", "aioredis", "aiosqlite", "asyncmy", "concurrent", "databases", "httpx",
    "motor", "multiprocessing", "oracledb", "psycopg", "psycopg_pool", "redis", "sqlalchemy", "threading", "urllib3",
}  # fmt: skip
NO_POOL = (
    r"(?<!thread_)(?<!threads_)(?<!process_)(?<!worker_)(?<!redis_)(?<!mysql_)(?<!http_)(?<!browser_)(?<!executor_)"
)
POOL_NAME = re.compile(rf"(^|_|\b(db|pg|asyncpg|read|write|conn|connection)){NO_POOL}pools?$", re.IGNORECASE)
POOL_GETTER = re.compile(rf"(^|_)(get|acquire|fetch|require|make|current)_(\w*_)?{NO_POOL}pools?$", re.IGNORECASE)
POOL_CLASS = re.compile(r"Pools?$")
DATABASE_NAME = re.compile(r"(^|_)(db|database|postgres|pg)$", re.IGNORECASE)
ACQUIRING_METHODS = {
    "acquire",
    "fetch",
    "fetchrow",
    "fetchval",
    "fetchmany",
    "execute",
    "executemany",
    "transaction",
    "copy_records_to_table",
    "copy_from_query",
    "copy_from_table",
    "copy_to_table",
}

LIFESPAN_DECORATORS = {"on_event"}
LIFESPAN_KEYWORDS = {"lifespan", "on_startup", "on_shutdown"}
TASK_STARTERS = {
    "create_task", "ensure_future", "start_soon", "run_coroutine_threadsafe", "run_in_executor", "spawn", "submit",
}  # fmt: skip
LOOP_RUNNERS = {"asyncio.run", "anyio.run", "uvloop.run", "trio.run"}
LOOP_RUNNING_METHODS = {"run_until_complete"}
TASK_GROUPS = {"TaskGroup", "create_task_group", "open_nursery"}
JOINERS = {"gather", "wait", "wait_for", "as_completed", "shield"}
CALLBACK_STARTERS = {
    "call_later", "call_soon", "call_at", "call_soon_threadsafe", "add_job", "add_periodic_task", "add_signal_handler",
    "add_listener", "add_termination_listener", "add_reader", "add_writer", "Thread", "Timer", "scheduleJob", "do",
}  # fmt: skip
CALLBACK_STARTERS_DOTTED = {"signal.signal", "atexit.register"}
# Any other call or decorator with such a word in its name that is given a function.
SCHEDULING = re.compile(
    r"(^|_)(cron|crontab|cronjob|schedule|scheduled|scheduler|periodic|every|repeat|recurring|interval|leader|elected|"
    r"daemon|jobs?|heartbeat|background_loop)(_|$)",
    re.IGNORECASE,
)
CALLBACK_KEYWORD = re.compile(r"^on_(elected|leader\w*|started_leading|tick)$")
SCHEDULER_DECORATORS = {"repeat_every", "repeat_at", "shared_task", "actor"}
# Only as attributes, such as ``@app.task``.
WORKER_DECORATORS = {
    "task", "actor", "periodic", "timer", "agent", "subscriber", "entrypoint", "loop", "workflow", "step", "flow",
    "cron",
}  # fmt: skip
WORKER_ATTRIBUTES = {"functions", "cron_jobs", "on_startup", "on_shutdown", "on_job_start", "on_job_end"}
SLEEPS = {"sleep", "sleep_until", "sleep_forever"}
POOL_MAKERS = {"create_pool", "create_tenant_pools"}
POOL_CALLBACKS = {"init", "setup", "reset", "connect"}

HTTP_METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
ROUTE_DECORATORS = HTTP_METHODS | {"route", "api_route", "websocket", "websocket_route"}
ROUTE_OWNER = re.compile(r"(^|_)(app|router|api|application|blueprint|bp|routes)$", re.IGNORECASE)
ROUTE_CLASSES = {"FastAPI", "APIRouter", "Starlette", "Router"}
ROUTE_REGISTRARS = {"add_api_route", "add_route", "add_api_websocket_route", "add_websocket_route"}
ROUTE_OBJECTS = {"Route", "WebSocketRoute", "APIRoute", "APIWebSocketRoute"}
ENDPOINT_CLASSES = {"HTTPEndpoint", "WebSocketEndpoint"}
# Work that is awaited and runs the function it is given under the caller's context.
CONTEXT_KEEPING = {"to_thread", "run_sync", "run_in_threadpool"}

GATE_METHODS = re.compile(
    r"^(allow|allowed|is_allowed|check|fire|fire_once|transition|should_(emit|log|report|fire)|try_acquire|throttle\w*)$"
)
LOGGER_NAME = re.compile(r"(^|_)(log|logger)$", re.IGNORECASE)
LOUD_METHODS = {"critical", "error", "exception", "fatal"}


def last(dotted: str | None) -> str:
    """The last part of a dotted name."""
    return (dotted or "").rpartition(".")[2]
