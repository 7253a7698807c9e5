"""Turns a declared model into a template: a request with a canary in every slot that can carry one.

A template is drawn once and filled many times: the same structure by two orgs, with own, foreign or random ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from interlock.testing.models import Schema, resolve
from interlock.testing.routes import Endpoint

MAX_DEPTH = 6
MAX_LEAVES = 400
_REFERENCE = re.compile(
    r"(?:^|_|-)(?:ids?|uuids?|pk|ref|refs|slug|cursor|token|hash)$|[a-z](?:Ids?|Uuid)$", re.IGNORECASE
)
_GENERIC_BODY = ("name", "title", "note", "content")


@dataclass(frozen=True)
class Leaf:
    """One slot of a template. A ``reference`` names something that exists; any other string carries a canary."""

    place: str
    name: str
    path: str
    schema: Schema = field(hash=False, compare=False, default_factory=dict)
    reference: bool = False
    index: int = 0
    suffix: str = ""

    @property
    def key(self) -> str:
        """Where it is, as reports say it: ``path person_id``, ``body $.owner_id``."""
        return f"{self.place} {self.path if self.place == 'body' else self.name}"


@dataclass
class Template:
    """A request with leaves where values go. ``body`` is None if there is none."""

    parameters: dict[tuple[str, str], Any] = field(default_factory=dict)
    body: Any = None
    media_type: str = "application/json"

    def leaves(self) -> Iterator[Leaf]:
        """Every slot, parameters first."""
        for value in self.parameters.values():
            yield from _leaves(value)
        yield from _leaves(self.body)


class Chooser(Protocol):
    """Makes the choices a schema leaves open; the harness has a fixed one, Hypothesis draws another."""

    def include(self, name: str) -> bool:
        """Whether an optional property is present."""
        ...

    def pick(self, options: list[Any]) -> Any:
        """One of the values of an enumeration or the branches of a union."""
        ...

    def size(self, low: int, high: int) -> int:
        """The length of a list."""
        ...

    def suffix(self) -> str:
        """Text behind a canary in an unconstrained string."""
        ...


@dataclass(frozen=True)
class Plain:
    """Chooses the first of everything; ``full`` includes what is optional, ``nth`` picks another enum member."""

    full: bool = True
    nth: int = 0

    def include(self, name: str) -> bool:
        """Whether optional properties are present at all."""
        return self.full

    def pick(self, options: list[Any]) -> Any:
        """Always the same position."""
        return options[self.nth % len(options)]

    def size(self, low: int, high: int) -> int:
        """One element where allowed, so that there is something to leak."""
        return max(low, min(1, high)) if self.full else low

    def suffix(self) -> str:
        """Nothing."""
        return ""


class TemplateBuilder:
    """Builds the template of an endpoint; leaves are numbered in the order in which they are met."""

    def __init__(self, endpoint: Endpoint, chooser: Chooser, *, with_query: bool = False) -> None:
        self.endpoint = endpoint
        self.chooser = chooser
        self.with_query = with_query
        self._count = 0

    def build(self) -> Template:
        """The template: required parameters, the body, and with ``with_query`` the optional parameters."""
        template = Template()
        for parameter in self.endpoint.parameters:
            if parameter.required or (self.with_query and parameter.place == "query"):
                definitions = parameter.schema.get("$defs", {})
                template.parameters[parameter.place, parameter.name] = self._value(
                    parameter.schema, definitions, parameter.place, parameter.name, parameter.name, 0
                )
        if self.endpoint.body is not None:
            schema = self.endpoint.body.schema
            template.media_type = self.endpoint.body.media_type
            template.body = self._value(schema, schema.get("$defs", {}), "body", "body", "$", 0)
        elif self._reads_undeclared_body():
            template.body = {name: self._leaf({"type": "string"}, "body", name, f"$.{name}") for name in self._mined()}
        return template

    def _reads_undeclared_body(self) -> bool:
        names = getattr(getattr(self.endpoint.handler, "__code__", None), "co_names", ())
        return not self.endpoint.is_read and any(name in names for name in ("json", "body", "stream", "form"))

    def _mined(self) -> list[str]:
        """The names an undeclared body is read by, as far as the handler's constants tell."""
        constants = getattr(getattr(self.endpoint.handler, "__code__", None), "co_consts", ())
        found = [text for text in constants if isinstance(text, str) and re.fullmatch(r"[a-z_][a-z0-9_]{0,30}", text)]
        return [*dict.fromkeys([*found, *_GENERIC_BODY])]

    def _value(self, schema: Schema, definitions: Schema, place: str, name: str, path: str, depth: int) -> Any:
        schema = resolve(schema, definitions)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.chooser.pick(list(schema["enum"]))
        branches = [part for part in schema.get("anyOf") or schema.get("oneOf") or () if part.get("type") != "null"]
        if branches:
            outer = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "default")}
            return self._value({**outer, **self.chooser.pick(branches)}, definitions, place, name, path, depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "string")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, definitions, place, path, depth)
        if kind == "array":
            return self._array(schema, definitions, place, name, path, depth)
        if kind == "boolean":
            return self.chooser.pick([schema["default"]] if "default" in schema else [True, False])
        if kind in ("integer", "number") and not self._is_reference(place, name, schema):
            return _number(schema, whole=kind == "integer")
        return self._leaf(schema, place, name, path)

    def _object(self, schema: Schema, definitions: Schema, place: str, path: str, depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        chosen: dict[str, Any] = {}
        for name, below in schema.get("properties", {}).items():
            optional = name not in required
            if optional and (depth >= MAX_DEPTH or self._count >= MAX_LEAVES or not self.chooser.include(name)):
                continue
            chosen[name] = self._value(below, definitions, place, name, f"{path}.{name}", depth + 1)
        if not schema.get("properties") and schema.get("additionalProperties", True) is not False:
            values = schema.get("additionalProperties")
            inner = values if isinstance(values, dict) else {"type": "string"}
            if self.chooser.size(schema.get("minProperties", 0), 1):
                chosen["note"] = self._value(inner, definitions, place, "note", f"{path}.note", depth + 1)
        return chosen

    def _array(self, schema: Schema, definitions: Schema, place: str, name: str, path: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [
                self._value(item, definitions, place, name, f"{path}[{position}]", depth + 1)
                for position, item in enumerate(schema["prefixItems"])
            ]
        low = schema.get("minItems", 0)
        length = self.chooser.size(low, min(schema.get("maxItems", low + 3), low + 3)) if depth < MAX_DEPTH else low
        items = schema.get("items") or {"type": "string"}
        return [
            self._value(items, definitions, place, name, f"{path}[{position}]", depth + 1)
            for position in range(length)
        ]

    def _leaf(self, schema: Schema, place: str, name: str, path: str) -> Leaf:
        self._count += 1
        reference = self._is_reference(place, name, schema)
        plain = not reference and not {"format", "pattern", "maxLength"} & schema.keys()
        suffix = self.chooser.suffix() if plain and place == "body" else ""
        return Leaf(place, name, path, schema, reference, min(self._count, 1023), suffix)

    def _is_reference(self, place: str, name: str, schema: Schema) -> bool:
        if place == "path" or schema.get("format") == "uuid":
            return True
        return bool(_REFERENCE.search(name)) and "idempot" not in name.lower()


def _number(schema: Schema, *, whole: bool) -> int | float:
    if isinstance(schema.get("default"), int | float):
        return schema["default"]  # type: ignore[no-any-return]
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + (1 if whole else 0.5)
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - (1 if whole else 0.5)
    if low is not None and high is not None:
        value = low + min(1, (high - low) / 2)
    elif low is not None:
        value = max(low, 1)
    else:
        value = 1 if high is None else min(high, 1)
    step = schema.get("multipleOf")
    if step:
        value = -(-value // step) * step
    return int(value) if whole else float(value)


def _leaves(value: Any) -> Iterator[Leaf]:
    if isinstance(value, Leaf):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below)
