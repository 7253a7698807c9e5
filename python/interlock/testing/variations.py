"""The same request asked otherwise: every option alone, every member of an enumeration, the pages behind the first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from interlock.testing.mined import names
from interlock.testing.models import Schema
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder, number, referring
from interlock.testing.routes import Endpoint

if TYPE_CHECKING:
    from interlock.testing.story import Story

MAX_MEMBERS, MAX_WORDS = 8, 10
_SIZE = re.compile(r"limit|size|per_?page|page_?size|count|first|take|top|max_?results", re.IGNORECASE)
_PAGE = re.compile(r"page|p|page_?(?:number|no|index)|offset|skip|start", re.IGNORECASE)
_FIELDS = re.compile(r"field|select|only|column|include|expand|embed|with", re.IGNORECASE)
_CHOICE = re.compile(r"\^?\(?\??:?([\w-]+(?:\|[\w-]+)+)\)?\$?")


async def vary(story: Story, endpoint: Endpoint) -> None:
    """Ask each variation as A and then as B alike; the oracles that look at content see the answers."""
    for what, template in variations(story, endpoint):
        for org in (story.a, story.b) if endpoint.is_read else (story.b,):
            purpose = f"{org.name} asks with {what}"
            await story.world.call(org, endpoint, template=template, purpose=purpose, own=False)
        foreign = {leaf: story.attacker.foreign_value(endpoint, leaf) for leaf in template.leaves() if leaf.reference}
        if endpoint.is_read and foreign and None not in foreign.values():
            purpose = f"B asks with {what} and A's ids"
            await story.world.call(story.b, endpoint, template=template, given=foreign, purpose=purpose, own=False)


def variations(story: Story, endpoint: Endpoint) -> Iterator[tuple[str, Template]]:
    """What is varied, and the template that varies it."""
    learned = story.world.learned[endpoint.name]
    bare = learned.template
    seen = {repr((bare.parameters, bare.body))}
    for nth in range(MAX_MEMBERS):
        wide = TemplateBuilder(endpoint, Plain(nth=nth), with_optional=True).build()
        for slot, value in wide.parameters.items():
            for asked in _values(story, endpoint, slot, value) if slot not in bare.parameters else ():
                one = replace(bare, parameters={**bare.parameters, slot: asked})
                if repr((one.parameters, one.body)) not in seen:
                    seen.add(repr((one.parameters, one.body)))
                    yield slot[1], one
        other = referring(wide, learned.sources)
        if wide.body is not None and repr(other.body) not in seen:
            seen.add(repr(other.body))
            yield "another choice in the body", replace(bare, body=other.body)
    yield from (("another operation", other) for other in learned.operations)
    for name, value in _choices_alone(endpoint):
        yield f"{name} alone", replace(bare, body={name: value})
    paged = _second_page(endpoint)
    if paged:
        yield "the second page", replace(bare, parameters={**bare.parameters, **paged})


def _choices_alone(endpoint: Endpoint) -> Iterator[tuple[str, Any]]:
    """Each choice of a body that needs nothing, such as a search's, without what narrows it down."""
    if endpoint.is_read or not asks_for_nothing(endpoint):
        return
    for nth in range(MAX_MEMBERS // 2):
        body = TemplateBuilder(endpoint, Plain(nth=nth)).build().body
        yield from ((name, value) for name, value in body.items() if isinstance(value, bool | str))


def asks_for_nothing(endpoint: Endpoint) -> bool:
    """Whether the endpoint takes an empty object, as a search does: then it is asked so."""
    return endpoint.body is not None and TemplateBuilder(endpoint, Plain(full=False)).build().body == {}


def _values(story: Story, endpoint: Endpoint, slot: tuple[str, str], value: Any) -> Iterator[Any]:
    schema = _schema(endpoint, slot)
    if type(value) is int:
        low = int(schema.get("minimum", 1))
        # A number that no earlier example asked with, so that what a cache holds for it is A's.
        yield story.world.random.randint(low, max(low, int(schema.get("maximum", 1000))))
        return
    choice = _CHOICE.fullmatch(str(schema.get("pattern", "")))
    yield from choice.group(1).split("|")[:MAX_MEMBERS] if choice else (value,)
    if (
        isinstance(value, Leaf)
        and not value.reference
        and slot[0] == "query"
        and not schema.keys() & {"pattern", "format"}
    ):
        yield from names(endpoint.handler)[:MAX_WORDS]  # what the code compares it with
        if _FIELDS.search(slot[1]):
            keys = {seen.key: None for seen in story.a.knowledge.values() if seen.endpoint == endpoint.name}
            yield from [key for key in keys if key.isidentifier()][:MAX_WORDS]


def _second_page(endpoint: Endpoint) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    pages = False
    for parameter in endpoint.parameters:
        schema = _schema(endpoint, (parameter.place, parameter.name))
        if parameter.place != "query" or schema.get("type") != "integer":
            continue
        if _SIZE.fullmatch(parameter.name):
            found[parameter.place, parameter.name] = max(1, int(number({**schema, "default": None})))
        elif _PAGE.fullmatch(parameter.name):
            found[parameter.place, parameter.name] = 2 if "p" in parameter.name[0].lower() else 1
            pages = True
    return found if pages else {}


def _schema(endpoint: Endpoint, slot: tuple[str, str]) -> Schema:
    schema = next(one.schema for one in endpoint.parameters if (one.place, one.name) == slot)
    return next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
