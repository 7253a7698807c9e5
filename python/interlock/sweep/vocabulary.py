"""What the sweep looks for by name: pools, scopes, gates, handlers, schedulers."""

from __future__ import annotations

import re

SCOPES = {"tenant_scope": "tenant", "pre_org_resolution_scope": "pre-org"}
# These take a callable or coroutine and run it inside a scope.
SCOPED_RUNNERS = {"with_tenant", "spawn_scoped"}

POOL_TYPES = {
    "asyncpg.Pool",
    "asyncpg.pool.Pool",
    "interlock.tenancy.TenantPools",
    "interlock.tenancy.pools.TenantPools",
}
POOL_NAME = re.compile(r"(^|_)pools?$", re.IGNORECASE)
POOL_GETTER = re.compile(r"(^|_)(get|acquire|fetch|require)_(\w*_)?pools?$", re.IGNORECASE)
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
TASK_STARTERS = {"create_task", "ensure_future", "start_soon", "run_coroutine_threadsafe", "run_in_executor"}
LOOP_RUNNERS = {"asyncio.run", "anyio.run", "uvloop.run", "trio.run"}
CALLBACK_STARTERS = {"call_later", "call_soon", "call_at", "call_soon_threadsafe", "add_job", "add_periodic_task"}
SCHEDULER_DECORATORS = {"scheduled_job", "repeat_every", "crontab", "cron", "periodic_task", "repeat_at", "timer"}
WORKER_DECORATORS = {"task", "actor", "periodic"}
SLEEPS = {"sleep", "sleep_until", "sleep_forever"}
POOL_MAKERS = {"create_pool", "create_tenant_pools"}
POOL_CALLBACKS = {"init", "setup", "reset", "connect"}

HTTP_METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
ROUTE_DECORATORS = HTTP_METHODS | {"route", "api_route", "websocket", "websocket_route"}
ROUTE_OWNER = re.compile(r"(^|_)(app|router|api|application|blueprint|bp)$", re.IGNORECASE)
ROUTE_CLASSES = {"FastAPI", "APIRouter", "Starlette", "Router"}
ROUTE_REGISTRARS = {"add_api_route", "add_route", "add_api_websocket_route", "add_websocket_route"}

GATE_METHODS = {"allow", "check", "fire", "fire_once", "should_emit", "transition"}
LOGGER_NAME = re.compile(r"(^|_)(log|logger)$", re.IGNORECASE)
LOUD_METHODS = {"critical", "error", "exception", "fatal"}


def last(dotted: str | None) -> str:
    """The last part of a dotted name."""
    return (dotted or "").rpartition(".")[2]
