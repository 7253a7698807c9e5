"""Turns a declared model into a template: a request with a canary in every slot that can carry one.

A template is drawn once and filled many times: the same structure by two orgs, with own, foreign or random ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from interlock.testing.matching import is_decimal
from interlock.testing.mined import names
from interlock.testing.models import Schema, resolve
from interlock.testing.routes import Endpoint

MAX_DEPTH = 6
MAX_LEAVES = 400
MAX_VARIETY = 900
_SIZE = re.compile(
    r"limit|size|count|n|times|repeat|page|per_page|offset|skip|days|hours|minutes|depth", re.IGNORECASE
)
REFERENCE = re.compile(
    r"(?i:(?:^|_|-)(?:u?ids?|uuids?|ulids?|guids?|pk|refs?|slugs?|handle|cursor|token|hash)$|^if-(?:none-)?match$)"
    r"|[a-z](?:Ids?|IDs?|Uuid|Ref)$"
)


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
    def numeric(self) -> bool:
        """Whether it takes a number that refers to nothing."""
        return not self.reference and self.schema.get("type") in ("integer", "number")

    @property
    def open_text(self) -> bool:
        """Whether it takes text of any form."""
        return self.schema.get("type", "string") == "string" and not self.schema.keys() & {"format", "pattern", "enum"}

    @property
    def decimal(self) -> bool:
        """Whether it takes an amount that is written as text, such as ``12.50``."""
        pattern = self.schema.get("pattern")
        kind = self.schema.get("format")
        return kind == "decimal" or (kind is None and pattern is not None and is_decimal(pattern))

    @property
    def told_apart(self) -> bool:
        """Whether what is put there can be recognised: a text, and neither an amount nor a day."""
        plain = not self.reference and not self.numeric and not self.decimal
        return plain and self.schema.get("format") not in ("date", "date-time")

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

    @property
    def vary(self) -> bool:
        """Whether numbers are to differ from request to request, where their bounds leave room."""
        ...

    @property
    def examples(self) -> bool:
        """Whether a value that the model itself gives as an example is sent instead of a canary."""
        ...

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
    vary: bool = True
    examples: bool = False

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


def referring(template: Template, keys: Iterable[str]) -> Template:
    """The template in which the leaves of these keys are references, whatever they are called."""
    wanted = set(keys)
    return mapped(template, lambda leaf: replace(leaf, reference=True) if leaf.key in wanted else leaf)


def filled(template: Template, leaf: Leaf, value: Any) -> Template:
    """The template with a value in the place of a leaf."""
    return mapped(template, lambda one: value if one == leaf else one)


def mapped(template: Template, change: Callable[[Leaf], Any]) -> Template:
    """The template with something else in the place of each leaf."""

    def walk(value: Any) -> Any:
        if isinstance(value, Leaf):
            return change(value)
        if isinstance(value, dict):
            return {name: walk(below) for name, below in value.items()}
        return [walk(below) for below in value] if isinstance(value, list) else value

    return Template(walk(template.parameters), walk(template.body), template.media_type)


class TemplateBuilder:
    """Builds the template of an endpoint; leaves are numbered in the order in which they are met."""

    def __init__(self, endpoint: Endpoint, chooser: Chooser, *, with_optional: bool = False) -> None:
        self.endpoint = endpoint
        self.chooser = chooser
        self.with_optional = with_optional
        self._count = 0

    def build(self) -> Template:
        """The template: required parameters, the body, and with ``with_optional`` the optional ones."""
        template = Template()
        for parameter in self.endpoint.parameters:
            if parameter.required or self.with_optional:
                definitions = parameter.schema.get("$defs", {})
                template.parameters[parameter.place, parameter.name] = self._value(
                    parameter.schema, definitions, parameter.place, parameter.name, parameter.name, 0
                )
        if self.endpoint.body is not None:
            schema = self.endpoint.body.schema
            template.media_type = self.endpoint.body.media_type
            template.body = self._value(schema, schema.get("$defs", {}), "body", "body", "$", 0)
        return template

    def _value(self, schema: Schema, definitions: Schema, place: str, name: str, path: str, depth: int) -> Any:
        schema = resolve(schema, definitions)
        if "const" in schema:
            return schema["const"]
        if self.chooser.examples and schema.get("examples") and schema.get("type") not in ("object", "array"):
            return self.chooser.pick(list(schema["examples"]))
        if schema.get("enum"):
            return self.chooser.pick(list(schema["enum"]))
        branches = [part for part in schema.get("anyOf") or schema.get("oneOf") or () if part.get("type") != "null"]
        if branches:
            if [part.get("type") for part in branches] == ["number", "string"]:
                del branches[1]  # an amount, which may be written as text
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
            first = schema.get("default", True)
            return self.chooser.pick([first, not first])
        if kind in ("integer", "number") and not is_reference(place, name, schema):
            varies = place == "body" and self.chooser.vary and not _SIZE.fullmatch(name) and room(schema)
            return self._leaf(schema, place, name, path) if varies else number(schema)
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
            inner = values if isinstance(values, dict) else {}
            if self.chooser.size(schema.get("minProperties", 0), 1):
                mined = [] if isinstance(values, dict) else names(self.endpoint.handler)
                for name in ("note", *(one for one in mined if REFERENCE.search(one))):
                    chosen[name] = self._value(inner, definitions, place, name, f"{path}.{name}", depth + 1)
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
        reference = is_reference(place, name, schema)
        plain = not reference and not {"format", "pattern", "maxLength"} & schema.keys()
        suffix = self.chooser.suffix() if plain and place == "body" else ""
        return Leaf(place, name, path, schema, reference, min(self._count, 1023), suffix)


def chooses(schema: Schema) -> bool:
    """Whether whoever sends such a body must choose: between kinds of it, or in a property that has no default."""
    plain = resolve(schema, schema.get("$defs", {}))
    if len(plain.get("anyOf") or plain.get("oneOf") or ()) > 1:
        return True
    parts = (
        resolve(plain.get("properties", {}).get(one, {}), schema.get("$defs", {})) for one in plain.get("required", ())
    )
    return any(len(part.get("enum") or ()) > 1 for part in parts)


def is_reference(place: str, name: str, schema: Schema) -> bool:
    """Whether a slot names something that exists, by its type or by what it is called."""
    if place == "path" or schema.get("format") == "uuid":
        return True
    return bool(REFERENCE.search(name)) and "idempot" not in name.lower()


def room(schema: Schema) -> int:
    """How many whole steps lead from the plainest number to the largest that is sent."""
    low, high = number({**schema, "default": None}), schema.get("maximum", schema.get("exclusiveMaximum"))
    if (1 / schema.get("multipleOf", 1)) % 1:
        return 0
    return MAX_VARIETY if high is None else max(0, min(int(high - low) - 1, 10 * MAX_VARIETY))


def middle(schema: Schema) -> int | float:
    """A number between the smallest and the largest that are sent."""
    return number({**schema, "default": None}) + room(schema) // 2


def number(schema: Schema) -> int | float:
    """The plainest number that a schema allows."""
    whole = schema.get("type") == "integer"
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
