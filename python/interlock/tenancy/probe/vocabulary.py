"""What the policies speak of: the settings they read, and the literals they compare with."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SETTING = re.compile(r"current_setting\s*\(\s*'([^']+)'", re.IGNORECASE)
_LITERAL = re.compile(r"'((?:[^']|'')*)'(?!::regclass)")
_NUMBER = re.compile(r"(?<![\w.'])(\d{1,15})(?![\w.'])")
_PATTERN = re.compile(r"[%_^$*.?()\\]+")

MAX_LITERALS = 12
_OTHER = "none-of-these"


@dataclass(frozen=True)
class Vocabulary:
    """What is named in a table's policies and in the functions that they call.

    Attributes:
        settings: names of settings, in lower case as PostgreSQL compares them.
        words: string literals, each once, in order.
        numbers: integer literals, each once, in order.

    """

    settings: tuple[str, ...]
    words: tuple[str, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """Lift the vocabulary out of SQL text. What is lifted too much costs a row that no policy lets through."""
        settings = dict.fromkeys(name.lower() for name in _SETTING.findall(text))
        words = dict.fromkeys(word.replace("''", "'") for word in _LITERAL.findall(text))
        for name in [word for word in words if word.lower() in settings]:
            del words[name]
        numbers = dict.fromkeys(int(digits) for digits in _NUMBER.findall(text))
        return cls(tuple(sorted(settings)), tuple(words)[:MAX_LITERALS], tuple(numbers)[:MAX_LITERALS])

    def texts(self) -> list[str]:
        """Words, what is left of a pattern without its signs, and a word that is none of them."""
        found: dict[str, None] = {}
        for word in self.words:
            found[word] = None
            found[_PATTERN.sub("", word)] = None
        return [word for word in found if word] + [_OTHER]

    def integers(self) -> list[int]:
        """Each number and its neighbours, for comparisons by order."""
        near = [value + step for value in self.numbers for step in (0, 1, -1)]
        return list(dict.fromkeys([*near, 0, 1]))

    def documents(self) -> list[object]:
        """JSON that holds the words as keys, and as values of each other."""
        found: list[object] = [document for word in self.words for document in _json(word)]
        for key in self.words:
            found += [{key: True}, *({key: value} for value in self.words if value != key)]
        return found[: MAX_LITERALS * 2]


def _json(word: str) -> list[object]:
    try:
        document = json.loads(word)
    except ValueError:
        return []
    return [document] if isinstance(document, dict | list) else []
