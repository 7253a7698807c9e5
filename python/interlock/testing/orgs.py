"""Makes the tenants of an example with the user's own callables; tells what is public of them from what is secret."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from interlock.errors import HarnessError
from interlock.testing.world import Org

_ID_NAMES = ("org_id", "tenant_id", "id", "uid", "uuid", "slug", "handle", "ref", "code", "name")
_CREDENTIAL = ("authorization", "cookie", "key", "token", "secret", "session", "signature")
MIN_SECRET = 8


async def make_org(
    create_org: Callable[..., Any], headers_for: Callable[[Any], Any] | None, *, index: int, name: str, token: str
) -> Org:
    """Call ``create_org``, then ``headers_for`` with what it returned.

    Raises:
        HarnessError: one of them failed; the message has the cause.

    """
    try:
        raw = await awaited(create_org(*_arguments(create_org, token)))
        headers: Mapping[str, str] = {} if headers_for is None else await awaited(headers_for(raw))
    except Exception as error:
        raise HarnessError(
            f"create_org or headers_for failed with {type(error).__name__}: {error}: "
            "call them by hand against the application first"
        ) from error
    pairs = tuple((key.lower(), value) for key, value in headers.items())
    facts = _facts(raw)
    secrets = _secrets(pairs, facts)
    public = {key: value for key, value in facts.items() if str(value) not in secrets or key in _ID_NAMES}
    org = Org(index, name, raw, org_id(raw), pairs, secrets=secrets)
    org.names = tuple(dict.fromkeys([*([org.id] if org.id else []), *map(str, public.values())]))
    org.knowledge.tell(public, sorted(secrets))
    return org


def org_id(raw: Any) -> str | None:
    """The id of whatever ``create_org`` returned: itself, or its ``id``, ``org_id``, ``slug`` or the like."""
    facts = _facts(raw)
    return next((str(facts[name]) for name in _ID_NAMES if facts.get(name) is not None), None)


def _facts(raw: Any) -> dict[str, Any]:
    """The scalars of whatever ``create_org`` returned, by name."""
    if isinstance(raw, tuple | list):
        named = getattr(raw, "_asdict", None)
        raw = named() if named else raw[0] if raw else None
    if isinstance(raw, Mapping):
        items = dict(raw)
    elif isinstance(raw, str | int | UUID):
        items = {"id": raw}
    elif dataclasses.is_dataclass(raw):
        items = {one.name: getattr(raw, one.name) for one in dataclasses.fields(raw)}
    else:
        items = {name: value for name, value in getattr(raw, "__dict__", {}).items() if not name.startswith("_")}
    plain = {str(key): str(value) if isinstance(value, UUID) else value for key, value in items.items()}
    return {
        key: one
        for key, one in plain.items()
        if isinstance(one, str | int) and not isinstance(one, bool) and one != ""
    }


def _secrets(headers: Sequence[tuple[str, str]], facts: Mapping[str, Any]) -> frozenset[str]:
    """What the org authenticates with: the values of such headers, and what is the same among the facts."""
    values = [value for key, value in headers if any(word in key for word in _CREDENTIAL)]
    parts = {part for value in values for part in (value, value.rpartition(" ")[2], value.rpartition("=")[2])}
    parts |= {str(one) for one in facts.values() if len(str(one)) >= MIN_SECRET and any(str(one) in v for v in values)}
    return frozenset(part for part in parts if len(part) >= MIN_SECRET)


def _arguments(maker: Any, name: str) -> tuple[str, ...]:
    wanted = [
        parameter
        for parameter in inspect.signature(maker).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return (name,) if wanted else ()


async def awaited(value: Any) -> Any:
    """The value, or what it comes to if it is awaitable: the user's callables may be either."""
    return await value if inspect.isawaitable(value) else value
