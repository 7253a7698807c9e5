"""Days for requests: those of one request follow each other, and those of a search enclose what was written."""

from __future__ import annotations

import datetime
import re

_DAY = datetime.datetime(2031, 5, 6, 7, 8, 9)
_BIRTHDAY = _DAY.replace(year=1990)
_WIDE, _SPAN = datetime.timedelta(days=30), datetime.timedelta(days=25)
_BORN = re.compile(r"birth|born|dob", re.IGNORECASE)
_FIRST = re.compile(
    r"(?:^|_)(?:from|since|after|starts?|begins?|began|earliest|min|gte?|arriv\w*|check_?in|opens?|opened)(?:$|_)"
)
_LAST = re.compile(
    r"(?:^|_)(?:to|until|till|before|ends?|latest|max|lte?|by|depart\w*|check_?out|clos\w+|expir\w+|due|finish\w*)(?:$|_)"
)


def moment(place: str, name: str, position: int, kind: str) -> str:
    """A date (or with ``kind`` "date-time" a date and time, RFC 3339) for the slot of that name.

    In a body what begins is before what ends, and what is neither lies between; in a query the beginning is before,
    and the end behind, whatever was sent in a body.
    """
    words = _words(name)
    day = _DAY + datetime.timedelta(days=1 if place == "query" else 1 + position % 20)
    if _BORN.search(words):
        day = _BIRTHDAY
    elif _LAST.search(words):
        day = _DAY + _SPAN + (_WIDE if place == "query" else datetime.timedelta(days=position % 20))
    elif _FIRST.search(words):
        day = _DAY - (_WIDE if place == "query" else datetime.timedelta())
    return day.isoformat() + "Z" if kind == "date-time" else day.date().isoformat()


def wider(name: str, days: int, kind: str) -> str | None:
    """The beginning of a search so many days earlier than usual, or its end so much later; None if it is neither."""
    back = -days if _FIRST.search(_words(name)) else days if _LAST.search(_words(name)) else 0
    day = datetime.datetime.fromisoformat(moment("query", name, 1, "date")) + datetime.timedelta(days=back)
    return (day.isoformat() + "Z" if kind == "date-time" else day.date().isoformat()) if back else None


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").lower()
