"""Bodies that a handler reads without declaring them: guessed from the names in its code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from interlock.testing.mined import names, names_within, reaches, uses
from interlock.testing.payloads import Leaf, Template, is_reference
from interlock.testing.routes import Endpoint
from interlock.testing.values import TABLES, is_file

MAX_NAMES, MAX_ALONE = 20, 6
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
CSV, LINES = "text/csv", "application/x-ndjson"
_READERS = ("json", "body", "stream", "form")
_GENERIC = ("name", "title", "note", "content")
_TEXT, _NUMBER, _FILE = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "binary"}


def undeclared(endpoint: Endpoint) -> Iterator[Template]:
    """Templates with a body for such a handler, the likeliest first; none if it says what it takes or takes none."""
    if endpoint.is_read or not (_takes_anything(endpoint) if endpoint.body else uses(endpoint.handler, *_READERS)):
        return
    mined = [*dict.fromkeys([*names(endpoint.handler)[:MAX_NAMES], *_GENERIC])]
    leaves = {name: _leaf(name, position) for position, name in enumerate(mined, 1)}
    plain = {name: leaf for name, leaf in leaves.items() if not leaf.reference}
    form = endpoint.body is None and uses(endpoint.handler, "form")
    for media in ([FORM] if form else []) + ([JSON] if not form or uses(endpoint.handler, "json") else []):
        yield Template(body=leaves, media_type=media)
        yield Template(body=plain, media_type=media)
    if form and uses(endpoint.handler, "filename", "read", "file"):
        for name in mined[:MAX_ALONE]:
            yield Template(body={**plain, name: _leaf(name, 1, _FILE)}, media_type=MULTIPART)
    if endpoint.body is None and not form:
        yield from (Template(body=plain, media_type=media) for media in (CSV, LINES))
    media = FORM if form else JSON
    for name in mined[:MAX_ALONE]:
        yield Template(body={**leaves, name: _leaf(name, 1, _NUMBER)}, media_type=media)
        yield Template(body={**plain, name: _leaf(name, 1, _NUMBER)}, media_type=media)
    if media == JSON:
        yield from (Template(body=_listed(name, mined), media_type=media) for name in mined[:MAX_ALONE])


def uploads(endpoint: Endpoint, plain: Template) -> Iterator[Template]:
    """The template with a table in the place of each uploaded file: its columns are the names in the code."""
    mined = names_within(endpoint.handler)[:MAX_NAMES] if plain.media_type == MULTIPART else []
    if not mined or not isinstance(plain.body, dict):
        return
    table = {name: _leaf(name, position, path="$.file") for position, name in enumerate(mined, 1)}
    rows = {name: replace(leaf, reference=False) for name, leaf in table.items()}
    body = {name: rows if isinstance(one, Leaf) and is_file(one) else one for name, one in plain.body.items()}
    if body != plain.body:
        yield from (replace(plain, body=body, media_type=f"{MULTIPART}+{kind}") for kind in TABLES)


def reads_tables(endpoint: Endpoint) -> bool:
    """Whether the code takes what is uploaded apart."""
    return reaches(endpoint.handler, "DictReader", "csv", "splitlines", "loads")


def _takes_anything(endpoint: Endpoint) -> bool:
    """Whether what is declared is just an object."""
    schema = endpoint.body.schema if endpoint.body else {}
    return (
        schema.get("type") == "object" and not schema.get("properties") and schema.get("additionalProperties") is True
    )


def _leaf(name: str, index: int, schema: dict[str, Any] = _TEXT, path: str = "$") -> Leaf:
    return Leaf("body", name, f"{path}.{name}", schema, schema is _TEXT and is_reference("body", name, schema), index)


def _listed(name: str, mined: list[str]) -> dict[str, Any]:
    """An object with a list of objects: of the latter are the other names."""
    others = [one for one in mined if one != name]
    return {name: [{one: _leaf(one, position, path=f"$.{name}[0]") for position, one in enumerate(others, 1)}]}
