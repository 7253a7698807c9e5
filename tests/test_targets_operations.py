"""Real commands from the documentation of each tool, with their placeholders filled in."""

from __future__ import annotations

import os
import re
from itertools import zip_longest
from pathlib import Path

import pytest

from interlock.targets import actions

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
OPERATIONS = SHARED / "data" / "commands" / "operations.txt"
TOOLS = {
    *("docker", "docker-compose", "podman", "podman-compose", "nerdctl", "kubectl"),
    *("systemctl", "service", "helm", "pm2", "supervisorctl", "git"),
}
# Why an example names no target: it selects by file, by label, or everything, or by a pattern.
SELECTS = re.compile(r"--filename|--selector|--all\b|--all-inactive|'\*'")
# Why an example has no action: it asks for no verb, or holds a word that only bash can quote.
NO_ACTION = re.compile(r"--status-all|\$'")
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
BRACES = str.maketrans({"\x01": "{", "\x02": "}"})


def spellings(line: str) -> list[str]:
    """The line with the first spelling of each of its alternatives, then with the second, and so on."""
    line = line.replace(r"\{", "\x01").replace(r"\}", "\x02")
    choices = [choice(match[1]) for match in PLACEHOLDER.finditer(line)]
    spelt = []
    for picks in list(zip_longest(*choices)) or [()]:
        filled = iter(pick or options[-1] for pick, options in zip(picks, choices, strict=True))
        spelt.append(PLACEHOLDER.sub(lambda _, filled=filled: next(filled), line).translate(BRACES))
    return spelt


def choice(placeholder: str) -> list[str]:
    """``[-f|--file]`` is two spellings of one thing; ``start|stop`` and ``name`` are examples."""
    if placeholder.startswith("["):
        return placeholder.strip("[]").split("|")
    first = re.split(r"[| ]", placeholder)[0]
    return [re.sub(r"[^\w./:=-]", "", first) or "x"]


def operations() -> list[str]:
    if not OPERATIONS.exists():
        return []
    return [line for line in OPERATIONS.read_text(encoding="utf-8").splitlines() if tool(line) in TOOLS]


def tool(line: str) -> str:
    words = (word for word in line.split() if "=" not in word and word != "sudo")
    return next(words, "")


@pytest.mark.skipif(not OPERATIONS.exists(), reason="the shared commands are not here")
def test_the_examples_are_read() -> None:
    assert len(operations()) > 300


@pytest.mark.parametrize("line", operations())
def test_each_example_is_an_action_or_dynamic_for_a_reason(line: str) -> None:
    readings = [actions(spelling) for spelling in spellings(line)]
    assert all(reading == readings[0] for reading in readings), "a spelling changes what is read"
    if NO_ACTION.search(line):
        assert not readings[0]
        return
    (action,) = readings[0]
    assert action.verb
    assert action.verb_class != "other" or action.verb == "login"
    assert not action.dynamic or SELECTS.search(line)
