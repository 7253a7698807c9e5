"""What a handler declares: parameters and body as JSON Schema, from the application's own models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

Schema = dict[str, Any]

_DOCUMENT_SIZE = 2000  # a schema larger than this many definitions is not a request model


@dataclass(frozen=True)
class Parameter:
    """A value outside the body: ``place`` is path, query, header or cookie; ``declared``, or guessed from the code."""

    place: str
    name: str
    schema: Schema = field(default_factory=dict)
    required: bool = False
    declared: bool = True


@dataclass(frozen=True)
class BodyModel:
    """The body a handler declares; ``media_type`` is JSON, form or multipart."""

    schema: Schema
    media_type: str = "application/json"


def parameters_of(dependant: Any) -> list[Parameter]:
    """The parameters of a FastAPI handler and of every dependency below it."""
    found: dict[tuple[str, str], Parameter] = {}
    for place in ("path", "query", "header", "cookie"):
        for model_field in _fields(dependant, f"{place}_params"):
            for parameter in _expand(place, model_field):
                found.setdefault((place, parameter.name), parameter)
    return list(found.values())


def body_of(model_field: Any) -> BodyModel | None:
    """The body of a FastAPI handler, or None if it declares none."""
    if model_field is None:
        return None
    info = model_field.field_info
    media_type = getattr(info, "media_type", None) or "application/json"
    schema = schema_of(model_field)
    if _has_file(schema):
        media_type = "multipart/form-data"
    return BodyModel(schema, media_type)


def schema_of(model_field: Any) -> Schema:
    """The JSON Schema of a FastAPI model field; ``{}`` (anything) for a type that has none."""
    from pydantic import PydanticUserError, TypeAdapter
    from pydantic.errors import PydanticInvalidForJsonSchema

    info = model_field.field_info
    annotation = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    try:
        return TypeAdapter(annotation).json_schema(mode="validation")
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}


def resolve(schema: Schema, definitions: Schema) -> Schema:
    """Follow ``$ref`` and merge ``allOf``."""
    for _ in range(20):
        if "$ref" in schema:
            target = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        elif "allOf" in schema:
            merged: Schema = {key: value for key, value in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                merged = _merge(merged, resolve(part, definitions))
            schema = merged
        else:
            break
    return schema


def _merge(left: Schema, right: Schema) -> Schema:
    merged = {**right, **left}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**right["properties"], **left["properties"]}
    merged["required"] = sorted({*left.get("required", ()), *right.get("required", ())})
    return merged


def _fields(dependant: Any, name: str, depth: int = 0) -> Iterator[Any]:
    yield from getattr(dependant, name, ())
    if depth < 50:
        for below in getattr(dependant, "dependencies", ()):
            yield from _fields(below, name, depth + 1)


def _expand(place: str, model_field: Any) -> Iterator[Parameter]:
    schema = schema_of(model_field)
    required = bool(getattr(model_field.field_info, "is_required", lambda: False)())
    plain = resolve(schema, schema.get("$defs", {}))
    if plain.get("type") == "object" and plain.get("properties") and place != "path":
        # A model of parameters (FastAPI 0.115): each property is a parameter.
        for name, below in plain["properties"].items():
            bound = {**below, "$defs": schema.get("$defs", {})}
            yield Parameter(place, _spelled(place, name), bound, name in plain.get("required", ()))
        return
    yield Parameter(place, _spelled(place, model_field.alias), schema, required)


def _spelled(place: str, name: str) -> str:
    return name.replace("_", "-") if place == "header" else name


def _has_file(schema: Schema) -> bool:
    waiting: list[Any] = [schema]
    for _ in range(_DOCUMENT_SIZE):
        if not waiting:
            break
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("format") == "binary" or "contentMediaType" in part:
                return True
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return False
