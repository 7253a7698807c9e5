"""IL106: a DSN or a password written beside a direct connect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from interlock.sweep.entries import keywords_of
from interlock.sweep.findings import Finding, finding_at
from interlock.sweep.flows import Flows
from interlock.sweep.symbols import Where
from interlock.sweep.text import PLACEHOLDER, text_of

CONNECTS = {"asyncpg.connect", "asyncpg.create_pool", "asyncpg.connection.connect", "asyncpg.pool.create_pool"}
DSN = re.compile(r"postgres(?:ql)?(?:\+\w+)?://(?P<user>[^\s/@:]*)(?::(?P<password>[^\s@]*))?@", re.IGNORECASE)
PRIVILEGED = re.compile(r"(^|_|\b)(postgres|admin|owner|root|super|superuser|su)(_|\b|$)", re.IGNORECASE)
SLOT = re.compile(rf"^({PLACEHOLDER}|\{{\w*\}}|%s|%\(\w+\)s)*$")
ADDRESSES = {"dsn", "tenant_dsn", "admin_dsn"}


def findings(flows: Flows) -> Iterator[Finding]:
    """Every direct connect whose address or password stands in the code."""
    for where in flows.project.places():
        for step in flows.of(where).steps:
            called = flows.project.resolve(step.node.func, where) or ""
            if called in CONNECTS or called.rpartition(".")[2] == "create_tenant_pools":
                what = _credential(flows, step.node, where)
                if what is not None:
                    message = (
                        f"{what} is written in the code: take both DSNs from the settings and connect through "
                        "`create_tenant_pools`"
                    )
                    yield finding_at("IL106", where, step.node, message)


def _credential(flows: Flows, node: ast.Call, where: Where) -> str | None:
    named = list(keywords_of(flows, node, where))
    addresses = [(value, where) for value in node.args[:2]]
    addresses += [(value, place) for name, value, place in named if name in ADDRESSES]
    for value, place in addresses:
        what = _in_dsn(text_of(flows.project, value, place) or "")
        if what is not None:
            return what
    for name, value, place in named:
        text = text_of(flows.project, value, place)
        if name == "password" and text and not SLOT.match(text):
            return "a password"
        if name == "user" and text and PRIVILEGED.search(text):
            return "the name of a privileged role"
    return None


def _in_dsn(text: str) -> str | None:
    """A role and its password count where one of them is written out; an address of settings alone does not."""
    match = DSN.search(text)
    if match is None:
        return None
    user, password = match.group("user"), match.group("password")
    if password and not (SLOT.match(password) and SLOT.match(user)):
        return "a DSN with its password"
    return "the DSN of a privileged role" if PRIVILEGED.search(user) else None
