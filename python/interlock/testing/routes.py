"""Enumerates what an application serves: a route added tomorrow is under test tomorrow."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from interlock.testing.mined import calls_of, looked_up, middleware_of, names, uses
from interlock.testing.models import BodyModel, Parameter, body_of, parameters_of

READ_METHODS = frozenset({"GET", "HEAD", "QUERY", "OPTIONS"})
HANDLED = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_WRAPPERS, MAX_UNDECLARED = 8, 20
_PLACEHOLDER = re.compile(r"{([^}:]+)(?::[^}]*)?}")
_REMOVING = re.compile(r"/[\w-]*(?:delete|remove|destroy|purge|discard)[\w-]*/?$", re.IGNORECASE)
_CONVERTERS = {
    "IntegerConvertor": {"type": "integer"},
    "FloatConvertor": {"type": "number"},
    "UUIDConvertor": {"type": "string", "format": "uuid"},
}


@dataclass(eq=False)
class Endpoint:
    """One method on one path, with what its handler declares."""

    method: str
    path: str
    parameters: list[Parameter] = field(default_factory=list)
    body: BodyModel | None = None
    websocket: bool = False
    in_schema: bool = True
    handler: Any = None
    host: str | None = None
    index: int = 0
    calls: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """``"POST /people"``: what reports, declarations and overrides call it."""
        return f"{self.method} {self.path}"

    @property
    def is_read(self) -> bool:
        """Whether the method promises to change nothing (RFC 9110 §9.2.1)."""
        return self.method in READ_METHODS or self.websocket

    @property
    def removes(self) -> bool:
        """Whether it takes something away: DELETE, or what HTML forms have instead."""
        return self.method == "DELETE" or (not self.is_read and bool(_REMOVING.search(self.path)))

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches a path of this endpoint; its groups are the path parameters."""
        parts = _PLACEHOLDER.split(self.path)
        literal, names = parts[::2], parts[1::2]
        text = re.escape(literal[0])
        for name, rest in zip(names, literal[1:], strict=True):
            text += f"(?P<{name}>[^/]+)" + re.escape(rest)
        return re.compile(text)

    @property
    def path_parameters(self) -> list[str]:
        """The names in the path, in order."""
        return _PLACEHOLDER.findall(self.path)


@dataclass
class Discovery:
    """What was found, what cannot be driven, and what OpenAPI lists but the routes do not.

    ``documentation`` are the framework's own pages, which show every caller the same; ``looked_up`` the names that
    the application's code may read from headers, parameters and cookies without declaring them.
    """

    endpoints: list[Endpoint]
    undrivable: list[str]
    only_in_openapi: list[str]
    documentation: list[str] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)


def discover(app: Any) -> Discovery:
    """Enumerate the routes of a FastAPI or Starlette application, mounts and hidden routes included.

    FastAPI nests included routers since 0.137; ``iter_route_contexts`` flattens them there, ``app.routes`` is
    already flat before.
    """
    app = _routed(app)
    endpoints: list[Endpoint] = []
    undrivable: list[str] = []
    documentation: list[str] = []
    for found in _walk(getattr(app, "routes", ()), "", None):
        if isinstance(found, str):
            undrivable.append(found)
        elif getattr(found.handler, "__module__", "") == "fastapi.applications":
            documentation.append(found.name)
        else:
            endpoints.append(found)
    unique = {endpoint.name: endpoint for endpoint in reversed(endpoints)}  # the first match serves
    ordered = [endpoint for endpoint in endpoints if unique[endpoint.name] is endpoint]
    for index, endpoint in enumerate(ordered):
        endpoint.index = index
    functions = [*(call for endpoint in ordered for call in endpoint.calls), *middleware_of(app)]
    return Discovery(ordered, undrivable, _only_in_openapi(app, ordered), documentation, looked_up(functions))


def _routed(app: Any) -> Any:
    """The application that has the routes, behind whatever middleware was wrapped round it by hand."""
    inner = app
    for _ in range(MAX_WRAPPERS):
        if inner is None or hasattr(inner, "routes"):
            break
        inner = getattr(inner, "app", None) or getattr(inner, "_app", None)
    return app if inner is None else inner


def _walk(routes: Iterable[Any], prefix: str, host: str | None) -> Iterator[Endpoint | str]:
    for route in _flat(routes):
        original = getattr(route, "original_route", route)
        path = prefix + (getattr(route, "path", None) or "")
        handler = getattr(route, "endpoint", None)
        if handler is not None and (getattr(route, "methods", None) or _methods_of(handler)):
            yield from _http(route, path, host)
        elif "WebSocket" in type(original).__name__:
            yield _endpoint("WEBSOCKET", route, path, host, websocket=True)
        elif type(original).__name__ == "Host":
            yield from _walk(getattr(original.app, "routes", ()), prefix, original.host)
        elif _nested(original):
            yield from _walk(_nested(original), path, host)
        else:
            served = getattr(original, "app", original)
            yield f"{path or '/'} ({type(served).__name__})"


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    try:
        from fastapi.routing import iter_route_contexts
    except ImportError:
        return iter(routes)
    return iter(iter_route_contexts(list(routes)))


def _nested(route: Any) -> Any:
    return getattr(route, "routes", None) or getattr(getattr(route, "app", None), "routes", None)


def _http(route: Any, path: str, host: str | None) -> Iterator[Endpoint]:
    by_method = _methods_of(route.endpoint)
    methods = set(route.methods or by_method)
    if "GET" in methods:
        methods.discard("HEAD")  # the same handler without its body
    for method in sorted(methods):
        yield _endpoint(method, route, path, host, by_method.get(method, route.endpoint))


def _methods_of(handler: Any) -> dict[str, Any]:
    """The methods that a class of handlers answers, as Starlette's ``HTTPEndpoint``."""
    if not inspect.isclass(handler):
        return {}
    return {name: getattr(handler, name.lower()) for name in HANDLED if callable(getattr(handler, name.lower(), None))}


def _endpoint(
    method: str, route: Any, path: str, host: str | None, handler: Any = None, *, websocket: bool = False
) -> Endpoint:
    handler = getattr(route, "endpoint", None) if handler is None else handler
    dependant = getattr(route, "dependant", None)
    endpoint = Endpoint(
        method=method,
        path=path,
        websocket=websocket,
        in_schema=bool(getattr(route, "include_in_schema", True)),
        handler=inspect.unwrap(handler) if callable(handler) else handler,
        host=host,
        calls=(handler, *calls_of(dependant)),
    )
    if dependant is not None:
        endpoint.parameters = parameters_of(dependant)
        endpoint.body = body_of(getattr(route, "body_field", None))
    endpoint.parameters += _undeclared_parameters(endpoint)
    endpoint.parameters += _undeclared_path_parameters(endpoint, getattr(route, "param_convertors", None) or {})
    return endpoint


def _undeclared_path_parameters(endpoint: Endpoint, convertors: dict[str, Any]) -> list[Parameter]:
    declared = {parameter.name for parameter in endpoint.parameters if parameter.place == "path"}
    return [
        Parameter(
            "path", name, _CONVERTERS.get(type(convertors.get(name)).__name__, {"type": "string"}), required=True
        )
        for name in endpoint.path_parameters
        if name not in declared
    ]


def _undeclared_parameters(endpoint: Endpoint) -> list[Parameter]:
    """What a handler takes from the query itself, as far as its constants tell."""
    if not uses(endpoint.handler, "query_params"):
        return []
    declared = {parameter.name for parameter in endpoint.parameters}
    return [
        Parameter("query", name, {"type": "string"}, declared=False)
        for name in names(endpoint.handler)[:MAX_UNDECLARED]
        if name not in declared and name not in endpoint.path_parameters
    ]


def _only_in_openapi(app: Any, endpoints: list[Endpoint]) -> list[str]:
    if not callable(getattr(app, "openapi", None)):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what FastAPI thinks of the application's operation ids is not our subject
        try:
            document = app.openapi()
        except Exception as error:  # noqa: BLE001 - a document that cannot be built is a finding, not a crash
            return [f"the OpenAPI document ({type(error).__name__})"]
    listed = {
        f"{method.upper()} {path}"
        for path, operations in document.get("paths", {}).items()
        for method in operations
        if method in {"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}
    }
    found = {f"{endpoint.method} {_without_convertors(endpoint.path)}" for endpoint in endpoints}
    found |= {name.replace("GET ", "HEAD ", 1) for name in found}
    return sorted(listed - found)


def _without_convertors(path: str) -> str:
    return _PLACEHOLDER.sub(r"{\1}", path)
