"""What B tries: A's references in each slot of an endpoint, between two requests with references to nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from interlock.testing.compare import Facts, caused, facts, same
from interlock.testing.exchange import Exchange, Response
from interlock.testing.knowledge import IDENTITY
from interlock.testing.payloads import Leaf, Plain, Template, TemplateBuilder, filled
from interlock.testing.routes import Endpoint
from interlock.testing.values import CANARY, random_reference
from interlock.testing.world import identifiers

if TYPE_CHECKING:
    from interlock.testing.story import Story

REPEATED = 20
MAX_KINDS = 4
SECOND = "+"  # behind the path of a leaf of the second element of a list
MAX_MENTIONS, MAX_MENTIONED, MIN_PROSE, MAX_PROSE = 24, 80, 40, 1500

Slot = tuple[Template, tuple[Leaf, ...]]
_ADDRESS = re.compile(r"user_?name|login|handle|email", re.IGNORECASE)
_TICKET = re.compile(r"cursor|token|code|key|secret|sig|hash|link|match", re.IGNORECASE)


@dataclass(frozen=True)
class Attack:
    """B asks with A's references (``foreign``) between two requests with references to nothing.

    ``comparable`` if the three must be answered alike; ``changed`` are the places where A's data became other data.
    """

    leaves: tuple[Leaf, ...]
    before: Exchange
    foreign: Exchange
    after: Exchange
    sent: tuple[str, ...]
    comparable: bool
    changed: tuple[str, ...]
    again: Callable[[], Awaitable[Facts]]

    async def told_apart(self) -> list[str]:
        """The facts by which A's references are told from any other, the status first; each holds for all others."""
        before, foreign, after = (facts(one.response, self.sent) for one in (self.before, self.foreign, self.after))
        keys = caused(before, foreign, after)
        for _ in range(REPEATED):  # a header that is one of two at random is no difference
            if not keys:
                break
            other = await self.again()
            keys = [key for key in keys if same(other, before, key)]
        return sorted(keys, key=lambda key: key != "status")


class Attacker:
    """B's side of a story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.world = story.world
        self._made: dict[str, list[Attack]] = {}

    async def attacks(self, endpoint: Endpoint) -> list[Attack]:
        """B's requests with A's references in each slot alone and in all together; made once per example."""
        if endpoint.name not in self._made:
            if self.story.is_matrix and endpoint in [*self.story.seed_order, *self.story.changes]:
                # Where others have used up so much: what is refused is then refused for A's reference alone.
                await self.story.use(self.story.b, endpoint, "B uses its own")
                await self.story.fresh(self.story.a, endpoint, whole=True)
            made = [
                await self._attack(endpoint, template, leaves, kind)
                for template, leaves in self.slots(endpoint)
                for kind in range(MAX_KINDS if self._unresolved(endpoint, leaves) else 1)
            ]
            self._made[endpoint.name] = [attack for attack in made if attack is not None]
        return self._made[endpoint.name]

    def slots(self, endpoint: Endpoint) -> list[Slot]:
        """Each reference alone, all together, the second of a list, and each optional one; with what to fill."""
        learned = self.world.learned[endpoint.name]
        bare = self.story.template or learned.template
        required = [leaf for leaf in bare.leaves() if leaf.reference]
        groups: list[Slot] = [(bare, (leaf,)) for leaf in required]
        if len(required) > 1:
            groups.append((bare, tuple(required)))
        # A list of references is looked at as far as its first; another operation may change what is set already.
        groups += [longer for one in (bare, *learned.operations) for longer in _one_more(one)]
        for other in learned.operations if self.story.template is None or bare == learned.template else ():
            leaves = tuple(leaf for leaf in other.leaves() if leaf.reference and leaf.place == "body")
            groups += [(other, one) for one in dict.fromkeys([*((leaf,) for leaf in leaves), leaves]) if one]
        wide = TemplateBuilder(endpoint, Plain(), with_optional=True).build()
        for slot, value in wide.parameters.items():
            leaves = tuple(leaf for leaf in Template({slot: value}).leaves() if leaf.reference)
            if slot not in bare.parameters and leaves:
                groups.append((Template({**bare.parameters, slot: value}, bare.body, bare.media_type), leaves))
        return groups

    async def mentions(self, endpoint: Endpoint) -> list[Attack]:
        """B's texts that mention what A has written (``@name``) and made (``#id``), each between two of nothing."""
        bare = self.story.template or self.world.learned[endpoint.name].template
        if endpoint.is_read or self.world.learned[endpoint.name].public:
            return []
        made = [await self._mention(endpoint, bare, leaf) for leaf in bare.leaves() if _takes_prose(leaf)]
        return [attack for attack in made if attack is not None]

    async def mention_addresses(self, endpoint: Endpoint) -> None:
        """B's texts mention A's people by what they are addressed with; what else is known of them may come back."""
        a, b = self.story.a.knowledge, self.story.b.knowledge
        own = {str(seen.value) for seen in b.values()}
        addresses = (str(seen.value) for seen in a.values() if "@" in str(seen.value) or _ADDRESS.search(seen.key))
        known = [one for one in dict.fromkeys(addresses) if one not in own and len(one) <= MAX_MENTIONED]
        if endpoint.is_read or self.world.learned[endpoint.name].public or endpoint.removes:
            return
        for leaf in self.world.learned[endpoint.name].template.leaves():
            if _takes_prose(leaf) and (texts := _mentioning(known[:MAX_MENTIONS], leaf)):
                await self.world.call(
                    self.story.b,
                    endpoint,
                    given={leaf: " ".join(mark + one for mark, one in texts)},
                    purpose="B mentions people of A's",
                    own=False,
                )

    async def _mention(self, endpoint: Endpoint, template: Template, leaf: Leaf) -> Attack | None:
        a, b = self.story.a.knowledge, self.story.b.knowledge
        own = {str(seen.value) for seen in b.values()}
        ids = [str(seen.value) for seen in a.values() if seen.key.lower() in IDENTITY]
        known = [one for one in dict.fromkeys([*a.written(near=endpoint), *ids]) if one not in own]
        named = [one for one in known if one not in self.story.a.secrets and len(one) <= MAX_MENTIONED]
        texts = _mentioning(named[:MAX_MENTIONS], leaf)
        if not texts:
            return None

        def nothing() -> str:
            return " ".join(mark + str(random_reference(leaf, self.world.random, one)) for mark, one in texts)

        async def ask(text: str, purpose: str) -> Exchange:
            await self.story.fresh(self.story.b, endpoint)
            return await self.world.call(
                self.story.b, endpoint, template=template, given={leaf: text}, purpose=purpose, own=False
            )

        first, last, of_a = nothing(), nothing(), " ".join(mark + one for mark, one in texts)
        before = await ask(first, "B mentions nobody")
        foreign = await ask(of_a, "B mentions what is A's")
        after = await ask(last, "B mentions nobody")
        sent = tuple(part for text in (first, of_a, last) for part in (text, *text.split(), *_bare(text)))

        async def again() -> Facts:
            other = nothing()
            answer = await ask(other, "B mentions nobody")
            return facts(answer.response, (other, *other.split(), *_bare(other)))

        return Attack((leaf,), before, foreign, after, sent, before.response.ok, (), again)

    def _unresolved(self, endpoint: Endpoint, leaves: tuple[Leaf, ...]) -> bool:
        """Whether nothing told what the reference is to: a batch may answer 200 to ids of nothing."""
        known = {*self._sources(endpoint), *(f"{key}{SECOND}" for key in self._sources(endpoint))}
        return len(leaves) == 1 and leaves[0].place == "body" and leaves[0].key not in known

    def _sources(self, endpoint: Endpoint) -> dict[str, tuple[str, str]]:
        return self.world.learned[endpoint.name].sources

    async def _attack(
        self, endpoint: Endpoint, template: Template, leaves: tuple[Leaf, ...], kind: int = 0
    ) -> Attack | None:
        story = self.story
        if not endpoint.is_read:
            await story.fresh(story.a, endpoint)
            await story.fresh(story.b, endpoint)
        given: dict[Leaf, Any] = {}
        for leaf in leaves:
            given[leaf] = self.foreign_value(endpoint, leaf, kind, besides=given)
        if not given or any(value is None for value in given.values()):
            return None
        if await self.is_capability(endpoint, template, given):
            return None

        async def ask(values: dict[Leaf, Any], purpose: str) -> Exchange:
            return await self.world.call(
                story.b, endpoint, template=template, given=values, purpose=purpose, own=False
            )

        def nothing() -> dict[Leaf, Any]:
            # Two slots with one row have one row of nothing: that a row is not its own parent is said of any.
            others = {str(given[leaf]): random_reference(leaf, self.world.random, given[leaf]) for leaf in leaves}
            return {leaf: others[str(given[leaf])] for leaf in leaves}

        first, last = nothing(), nothing()
        if not story.is_matrix:  # where it is too much to read each time, what A is answered must do
            await story.learn_identifiers()
        resting = await story.rested(endpoint)
        before = await ask(first, "B refers to nothing")
        settled = await story.snapshot(endpoint)
        foreign = await ask(given, "B refers to A's row")
        touched = await story.snapshot(endpoint)
        after = await ask(last, "B refers to nothing")
        noise = set(resting.changed(settled, story.a))
        changed = [place for place in settled.changed(touched, story.a) if place not in noise]
        restless = await story.restless(endpoint, changed)
        sent = tuple(str(value) for values in (first, given, last) for value in values.values())
        comparable = all(is_id(value) for value in given.values()) or self._alike(leaves, before, foreign, after)

        async def again() -> Facts:
            other = nothing()
            answer = await ask(other, "B refers to nothing")
            return facts(answer.response, map(str, other.values()))

        touching = tuple(place for place in changed if place not in restless)
        return Attack(leaves, before, foreign, after, sent, comparable, touching, again)

    @staticmethod
    def _alike(leaves: tuple[Leaf, ...], *three: Exchange) -> bool:
        """Whether opaque values can be compared: random text of their form was not refused for its form.

        A cursor or a signed link is not like random text: it may well be valid, and what it opens is B's.
        """
        before, foreign, after = (one.response for one in three)
        refused = all(not one.ok and not malformed(one) for one in (before, after))
        named = all(leaf.place != "query" and not _TICKET.search(leaf.name) for leaf in leaves)
        looked_up = all(leaf.place == "path" for leaf in leaves) and before.status == after.status == 404
        if looked_up and refused and foreign.status != 404:
            return not foreign.ok and not malformed(foreign)  # no ticket is found among those of others
        return named and refused and (not foreign.ok or foreign.status != 200 or three[0].request.method != "GET")

    async def is_capability(self, endpoint: Endpoint, template: Template, given: Mapping[Leaf, Any]) -> bool:
        """Whether holding the value is the permission, for people without any account too: a link made to be shared.

        Only an opaque value can be one. An id that works without credentials is a hole, not a feature.
        """
        if any(is_id(value) for value in given.values()):
            return False
        request, _, _ = self.world.prepare(self.story.b, endpoint, template, given)
        return (await self.world.transport.send(request)).ok

    def foreign_value(
        self, endpoint: Endpoint, leaf: Leaf, kind: int = 0, besides: Mapping[Leaf, Any] | None = None
    ) -> Any:
        """A value of A's for the leaf that B does not have too, of the ``kind``-th likeliest origin; None if none."""
        a, b = self.story.a, self.story.b
        preferred = self.world.own(a, endpoint, leaf, besides)
        own = {str(seen.value) for seen in b.knowledge.values()}
        origins: dict[tuple[str, str], Any] = {}
        for seen in [*([preferred] if preferred else []), *a.knowledge.ranked(leaf, endpoint)]:
            text = str(seen.value)
            if text not in own and text not in a.secrets and text.lower().encode() not in self.world.public:
                origins.setdefault((seen.endpoint, seen.path), seen.value)
            if len(origins) > kind:
                return list(origins.values())[kind]
        return None


def malformed(response: Response) -> bool:
    """Whether a value was refused for its form: 400, or FastAPI's list of what is wrong where."""
    return response.status == 400 or invalid(response)


def invalid(response: Response) -> bool:
    """Whether FastAPI refused the request before the application saw it: what it says is about the form alone."""
    detail = response.json.get("detail") if isinstance(response.json, dict) else None
    return response.status == 422 and isinstance(detail, list)


def is_id(value: Any) -> bool:
    """Whether a value is an id on the face of it: a number, a UUID, or a name that a canary made unique."""
    text = str(value)
    return text.isdecimal() or bool(identifiers(text.encode())) or CANARY in text


def _takes_prose(leaf: Leaf) -> bool:
    """Whether the slot takes a text of any form, long enough to mention somebody in it."""
    free = leaf.schema.get("type", "string") == "string" and not leaf.schema.keys() & {"format", "pattern", "enum"}
    return (
        free and leaf.place == "body" and not leaf.reference and leaf.schema.get("maxLength", MAX_PROSE) >= MIN_PROSE
    )


def _mentioning(names: list[str], leaf: Leaf) -> list[tuple[str, str]]:
    """Mark and name of each mention, as many as the slot has room for."""
    left = min(leaf.schema.get("maxLength", MAX_PROSE), MAX_PROSE)
    found = []
    for name in names:
        mark = "#" if name.isdecimal() else "@"
        left -= len(name) + 2
        if left > 0:
            found.append((mark, name))
    return found


def _bare(text: str) -> list[str]:
    return [one[1:] for one in text.split()]


def _one_more(template: Template) -> Iterator[Slot]:
    """The template with a second element in a list, which is often not looked at: one reference of it at a time."""
    for reference in [leaf for leaf in template.leaves() if leaf.reference and leaf.place == "body"]:
        second = replace(reference, path=reference.path + SECOND)
        longer = replace(template, body=_lengthened(template.body, reference, second))
        if second in set(longer.leaves()):
            yield longer, (second,)


def _lengthened(value: Any, leaf: Leaf, second: Leaf) -> Any:
    """The value in which the innermost list of one that holds the leaf has another element, with the second leaf."""
    if isinstance(value, dict):
        return {name: _lengthened(below, leaf, second) for name, below in value.items()}
    if not isinstance(value, list):
        return value
    inner = [_lengthened(below, leaf, second) for below in value]
    if inner != value or len(value) != 1:
        return inner
    element = Template(body=value[0])
    return [value[0], filled(element, leaf, second).body] if leaf in set(element.leaves()) else inner
