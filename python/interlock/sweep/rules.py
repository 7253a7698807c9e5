"""The rules: stable ids, titles, and why each exists. ``docs/rules/`` has a page each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule of the sweep."""

    id: str
    title: str
    why: str


_ALL = (
    Rule(
        "IL101",
        "acquire reachable from start-up outside any scope",
        "Start-up runs before any middleware: it fails at boot under FORCE RLS, or sees nothing.",
    ),
    Rule(
        "IL102",
        "acquire reachable from a daemon, scheduled job or task outside any scope",
        "No request means no scope: the first tick fails, or silently sees no rows.",
    ),
    Rule(
        "IL103",
        "acquire at module level or in a pool callback",
        "It runs in the context of whoever comes by.",
    ),
    Rule(
        "IL104",
        "transaction-local setting outside a transaction",
        "SET LOCAL and set_config(…, true) do nothing there, silently.",
    ),
    Rule(
        "IL105",
        "pre_org_resolution_scope reachable from a request handler",
        "A request has a tenant: leaving it is a privilege escalation.",
    ),
    Rule(
        "IL106",
        "credentials beside a direct connect",
        "A DSN or password in the code goes round the boundary between the pools.",
    ),
    Rule(
        "IL107",
        "default or fallback tenant",
        "A missing tenant silently becomes another one.",
    ),
    Rule(
        "IL108",
        "scope across a yield, or in a synchronous dependency",
        "The scope leaks to the consumer of the generator, or is lost in the dependency's thread.",
    ),
    Rule(
        "IL109",
        "scope in a BaseHTTPMiddleware",
        "It ends before background tasks and streamed bodies run.",
    ),
    Rule(
        "IL110",
        "route module imports pool internals",
        "It acquires round the router of the scope.",
    ),
    Rule(
        "IL111",
        "ungated error log in middleware or an exception handler",
        "At a hundred requests a second that is eight million lines a day.",
    ),
)

RULES = {rule.id: rule for rule in _ALL}
