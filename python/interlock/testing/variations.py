"""The same request asked otherwise: every option alone, every member of an enumeration, the pages behind the first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

from interlock.testing.mined import names
from interlock.testing.models import Schema
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder, number, referring
from interlock.testing.routes import Endpoint
from interlock.testing.values import CANARY, fits

if TYPE_CHECKING:
    from interlock.testing.story import Story
    from interlock.testing.world import Org

MAX_MEMBERS, MAX_WORDS, MAX_PAIRS, MAX_SEEN = 8, 10, 24, 3
SIZE = re.compile(r"limit|size|per_?page|page_?size|count|first|take|top|max_?results", re.IGNORECASE)
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


async def write_otherwise(story: Story, endpoint: Endpoint) -> None:
    """A writes each other choice that the body has: what is urgent, public or closed may be let out by a rule."""
    usual = story.world.learned[endpoint.name].template.body
    for what, template in variations(story, endpoint):
        if template.body != usual:
            await story.use(story.a, endpoint, f"A writes with {what}", template, own=False)


async def ask_too_little(story: Story, endpoint: Endpoint) -> None:
    """B asks with one letter in the place of each text: all canaries begin with it, and for many it is too short.

    Before B has named anything of A's: what it has sent itself, it may be shown.
    """
    bare = story.world.learned[endpoint.name].template
    wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build()
    for slot, value in wide.parameters.items():
        if slot[0] == "query" and isinstance(value, Leaf) and not value.numeric:
            short = replace(bare, parameters={**bare.parameters, slot: CANARY[0]})
            purpose = f"B asks with one letter as {slot[1]}"
            await story.world.call(story.b, endpoint, template=short, purpose=purpose, own=False)


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
    yield from _pairs(endpoint, bare)
    yield from (("another operation", other) for other in learned.operations)
    for name, value in _choices_alone(endpoint):
        yield f"{name} alone", replace(bare, body={name: value})
    paged = _second_page(endpoint)
    if paged:
        yield "the second page", replace(bare, parameters={**bare.parameters, **paged})


def _pairs(endpoint: Endpoint, bare: Template) -> Iterator[tuple[str, Template]]:
    """Each two options together that narrow nothing down to a text: a sort and its order, a first and a last day."""
    found = ((one, other) for one, other in combinations(options(endpoint), 2) if one[0] != other[0])
    for one, other in islice(found, MAX_PAIRS):
        yield f"{one[0][1]} and {other[0][1]}", replace(bare, parameters={**bare.parameters, **dict((one, other))})


def options(endpoint: Endpoint) -> list[tuple[tuple[str, str], Any]]:
    """Every optional choice of the query with each of its members but the one that is meant without it; days."""
    found: dict[tuple[tuple[str, str], str], Any] = {}
    optional = {("query", one.name) for one in endpoint.parameters if one.place == "query" and not one.required}
    for nth in range(MAX_MEMBERS):
        wide = TemplateBuilder(endpoint, Plain(nth=nth), with_optional=True).build().parameters
        for slot in optional & wide.keys():
            schema, value = _schema(endpoint, slot), wide[slot]
            usual = next(one.schema for one in endpoint.parameters if (one.place, one.name) == slot).get("default")
            choice = _CHOICE.fullmatch(str(schema.get("pattern", "")))
            members = choice.group(1).split("|")[:MAX_MEMBERS] if choice else [value]
            day = isinstance(value, Leaf) and schema.get("format") in ("date", "date-time")
            if choice or day or not (isinstance(value, Leaf | list | dict) or type(value) in (int, float)):
                found |= {(slot, repr(member)): member for member in members if member != usual}
    return sorted(((slot, value) for (slot, _), value in found.items()), key=lambda one: (one[0], repr(one[1])))


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
        yield from _seen_by_both(story, value)
        if _FIELDS.search(slot[1]):
            keys = {seen.key: None for seen in story.a.knowledge.values() if seen.endpoint == endpoint.name}
            yield from [key for key in keys if key.isidentifier()][:MAX_WORDS]


def _seen_by_both(story: Story, leaf: Leaf) -> list[Any]:
    """What both orgs were shown under the name of the slot: an actor, a status, a kind."""

    def shown(org: Org) -> dict[Any, None]:
        named = (seen for seen in org.knowledge.values() if seen.key.lower() == leaf.name.lower())
        return {seen.value: None for seen in named if not seen.path.startswith("sent ") and fits(leaf, seen.value)}

    theirs = shown(story.b)
    return [value for value in shown(story.a) if value in theirs][:MAX_SEEN]


def _second_page(endpoint: Endpoint) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    pages = False
    for parameter in endpoint.parameters:
        schema = _schema(endpoint, (parameter.place, parameter.name))
        if parameter.place != "query" or schema.get("type") != "integer":
            continue
        if SIZE.fullmatch(parameter.name):
            found[parameter.place, parameter.name] = max(1, int(number({**schema, "default": None})))
        elif _PAGE.fullmatch(parameter.name):
            found[parameter.place, parameter.name] = 2 if "p" in parameter.name[0].lower() else 1
            pages = True
    return found if pages else {}


def _schema(endpoint: Endpoint, slot: tuple[str, str]) -> Schema:
    schema = next(one.schema for one in endpoint.parameters if (one.place, one.name) == slot)
    return next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
