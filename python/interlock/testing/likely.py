"""What a value is likely to be, by its name: an amount, a day, a telephone number, a currency, or the id of a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from interlock.testing.knowledge import singular
from interlock.testing.payloads import Leaf, Template, mapped
from interlock.testing.routes import Endpoint

_FORMATS = {
    "decimal": r"price|amount|total|cost|fee|sum|salary|budget|balance|value|rate|tax|discount",
    "date-time": r"\w*_at|timestamp|\w*time",
    "date": r"date|day|\w*_on|\w*_date|birth\w*|dob|from|to|since|until|before|after|starts?|ends?|deadline|due|"
    r"expires|arriv\w+|depart\w+|valid_\w+",
    "phone": r"\w*phone\w*|mobile|fax|tel",
    "currency": r"\w*currency",
    "country": r"\w*country(?:_code)?",
    "language": r"lang|language|locale",
    "time-zone": r"tz|time_?zone",
    "color": r"\w*colou?r",
}
_KNOWN = [(kind, re.compile(words, re.IGNORECASE)) for kind, words in _FORMATS.items()]


def likely(template: Template) -> Template:
    """The template in which texts that the model says nothing of have the form that their names suggest."""
    return mapped(template, _formed)


def names_a_row(leaf: Leaf, endpoints: Iterable[Endpoint]) -> bool:
    """Whether its name ends with what the application has a collection of: ``from_site``, where there are sites."""
    paths = (part for one in endpoints for part in one.path.split("/") if "{" not in part)
    return singular(re.split(r"_|-|(?<=[a-z])(?=[A-Z])", leaf.name)[-1]) in map(singular, filter(None, paths))


def _formed(leaf: Leaf) -> Leaf:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", leaf.name)
    kind = next((kind for kind, words in _KNOWN if words.fullmatch(name)), None) if leaf.open_text else None
    if kind is None or leaf.reference or leaf.place == "path":
        return leaf
    return replace(leaf, schema={**leaf.schema, "format": kind})
