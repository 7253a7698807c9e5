"""The rules: stable ids, titles, why each exists, and what mends it. ``docs/rules/`` has a page each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule of the sweep."""

    id: str
    title: str
    why: str
    mend: str


_ALL = (
    Rule(
        "IL101",
        "acquire reachable from start-up outside any scope",
        "Start-up runs before any middleware: it fails at boot under FORCE RLS, or sees nothing.",
        'Wrap the work in `with pre_org_resolution_scope("start-up: …")`, or in `tenant_scope(org_id)` for each org.',
    ),
    Rule(
        "IL102",
        "acquire reachable from a daemon, scheduled job or task outside any scope",
        "No request means no scope: the first tick fails, or silently sees no rows.",
        'Wrap the tick in `with pre_org_resolution_scope("<job>: …")`, or in `tenant_scope(org_id)` for each org.',
    ),
    Rule(
        "IL103",
        "acquire at module level or in a pool callback",
        "It runs in the context of whoever comes by.",
        "Acquire inside a scope, from code that is called.",
    ),
    Rule(
        "IL104",
        "transaction-local setting outside a transaction",
        "SET LOCAL and set_config(…, true) do nothing there, silently.",
        "Use `tenant_scope(org_id)`, or put `async with connection.transaction()` around it.",
    ),
    Rule(
        "IL105",
        "pre_org_resolution_scope reachable from a request handler",
        "A request has a tenant: leaving it is a privilege escalation.",
        "Use the request's own scope, or resolve the org in `TenantMiddleware(resolve=…)`.",
    ),
    Rule(
        "IL106",
        "credentials beside a direct connect",
        "A DSN or password in the code goes round the boundary between the pools.",
        "Take both DSNs from the settings and connect through `create_tenant_pools`.",
    ),
    Rule(
        "IL107",
        "default or fallback tenant",
        "A missing tenant silently becomes another one.",
        "Make the tenant required and refuse the call without it.",
    ),
    Rule(
        "IL108",
        "scope across a yield, or in a synchronous dependency",
        "The scope leaks to the consumer of the generator, or is lost in the dependency's thread.",
        "Collect first, open the scope in the consumer, or use `interlock.web.scoped`.",
    ),
    Rule(
        "IL109",
        "scope in a BaseHTTPMiddleware",
        "It ends before background tasks and streamed bodies run.",
        "Use `interlock.web.TenantMiddleware`, which is pure ASGI.",
    ),
    Rule(
        "IL110",
        "route module imports pool internals",
        "It acquires round the router of the scope.",
        "Acquire through the pools of `create_tenant_pools`, which the scope routes.",
    ),
    Rule(
        "IL111",
        "ungated error log in middleware or an exception handler",
        "At a hundred requests a second that is eight million lines a day.",
        "Put a gate of `interlock.gates` before the line.",
    ),
)

RULES = {rule.id: rule for rule in _ALL}
