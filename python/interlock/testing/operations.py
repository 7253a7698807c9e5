"""What else one endpoint does that is told in its body what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from interlock.testing.mined import names
from interlock.testing.payloads import Template, chooses, filled
from interlock.testing.routes import Endpoint

MAX_WORDS = 10


def operations(
    endpoint: Endpoint, known: Template, choices: Iterable[Template], first: Template
) -> Iterator[Template]:
    """The members of a choice that must be made; or the other words, where one of the code made it succeed.

    Args:
        endpoint: the endpoint.
        known: the template that it accepts.
        choices: templates with one member of each choice after another.
        first: the likeliest template, before a word was put into it.

    """
    if endpoint.body is not None and chooses(endpoint.body.schema):
        seen = [repr(known.body)]
        for template in choices:
            if repr(template.body) not in seen:
                seen.append(repr(template.body))
                yield replace(known, body=template.body)
    present = {leaf.key for leaf in known.leaves()}
    for template in worded(endpoint, first):
        absent = present - {leaf.key for leaf in template.leaves()}
        if not absent and repr(template.body) != repr(known.body) and len(list(template.leaves())) == len(present):
            yield template


def worded(endpoint: Endpoint, template: Template) -> Iterator[Template]:
    """With a word of the handler's own code in each slot for text: a kind, an action, a query."""
    for leaf in template.leaves():
        if leaf.schema.get("type") == "string" and not leaf.schema.keys() & {"format", "pattern"}:
            yield from (filled(template, leaf, word) for word in names(endpoint.handler)[:MAX_WORDS])
