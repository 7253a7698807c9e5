"""The option tables: against the tools' own help, and that no spelling of an option changes a reading."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.targets import actions

DIRECTORY = Path(__file__).resolve().parents[1] / "src" / "targets" / "grammars"
ARITIES = ("value", "flag", "optional", "greedy")


@dataclass(frozen=True)
class Option:
    arity: str
    spellings: tuple[str, ...]


@dataclass(frozen=True)
class Verb:
    tool: str
    executable: str
    syntax: str
    path: str
    text: dict[str, Any]
    options: tuple[Option, ...]
    anywhere: tuple[Option, ...]

    def known(self) -> list[Option]:
        """Its own options, and those accepted anywhere under the spellings it does not use itself."""
        own = {spelling for option in self.options for spelling in option.spellings}
        shared = [
            Option(option.arity, tuple(name for name in option.spellings if name not in own))
            for option in self.anywhere
        ]
        return [*self.options, *(option for option in shared if option.spellings)]

    def arity(self, spelling: str) -> str | None:
        for option in (*self.options, *self.anywhere):
            if spelling in option.spellings:
                return option.arity
        return None


def options(lists: dict[str, Any]) -> tuple[Option, ...]:
    return tuple(
        Option(arity, tuple(group.split("|"))) for arity in ARITIES for group in str(lists.get(arity, "")).split()
    )


def load(name: str) -> dict[str, Any]:
    return tomllib.loads((DIRECTORY / f"{name}.toml").read_text(encoding="utf-8"))


def verbs(name: str) -> Iterator[Verb]:
    """Every spelling of every verb of a tool."""
    text = load(name)
    executable = next(iter(text.get("names", {text["tool"]: ""})))
    anywhere = options(text.get("anywhere", {}))
    for verb in text["verb"]:
        own = list(options(verb))
        named = {spelling for option in own for spelling in option.spellings}
        for shared in verb.get("include", []):
            own += [option for option in options(text["sets"][shared]) if not named & set(option.spellings)]
        for path in verb["path"]:
            yield Verb(text["tool"], executable, text.get("syntax", "pflag"), path, verb, tuple(own), anywhere)


NAMES = tuple(sorted(path.stem for path in DIRECTORY.glob("*.toml") if path.stem != "wrappers"))

DOCKER = re.compile(r"^ +(?:(-\w), )? *(--[\w-]+)(?: ([\w<>:\[\]-]+))?(?:  |$)", re.MULTILINE)
KUBECTL = re.compile(r"^    (?:(-\w), )?(--[\w-]+)=(.*):$", re.MULTILINE)
# pflag's NoOptDefVal, which the help does not show.
OPTIONAL = {"--cascade", "--dry-run", "--validate"}


def documented(verb: Verb) -> Iterator[tuple[str, str]]:
    """Spelling and arity of each option in the help of a verb."""
    command = [verb.tool, *verb.path.split(), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if verb.tool == "docker" and f"docker {verb.path}" not in text:
        return  # a plugin that is not installed
    for short, long, rest in (DOCKER if verb.tool == "docker" else KUBECTL).findall(text):
        flag = not rest if verb.tool == "docker" else rest in {"true", "false"}
        arity = "optional" if verb.tool == "kubectl" and long in OPTIONAL else "flag" if flag else "value"
        for spelling in filter(None, (short, long)):
            if spelling not in {"-h", "--help"} or not flag:
                yield spelling, arity


@pytest.mark.parametrize("tool", ["docker", "kubectl"])
def test_every_documented_option_is_listed_with_its_arity(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    wrong = [
        (verb.path, spelling, arity, verb.arity(spelling))
        for verb in verbs(tool)
        if verb.path == verb.text["path"][0]
        for spelling, arity in documented(verb)
        if verb.arity(spelling) != arity
    ]
    assert not wrong


VERBS = [verb for name in NAMES if name != "service" for verb in verbs(name)]
VALUES = st.sampled_from(["5", "v", "a.b", "k=v", "/x"])


def ways(option: Option, value: str | None, syntax: str) -> list[list[str]]:
    """All ways to write an option with this value."""
    long = [name for name in option.spellings if name.startswith("--")]
    short = [name for name in option.spellings if not name.startswith("--")]
    if value is None:
        return [[name] for name in option.spellings]
    spelt = [[f"{name}={value}"] for name in long]
    if option.arity != "optional":
        spelt += [[name, value] for name in option.spellings]
    if syntax != "plain":
        spelt += [[name + value] for name in short]
    if syntax == "pflag":
        spelt += [[f"{name}={value}"] for name in short]
    return spelt or [short]


@pytest.mark.parametrize("name", NAMES)
def test_each_option_reads_the_same_in_every_spelling(name: str) -> None:
    text = load(name)
    for verb in (verb for verb in verbs(name) if verb.path == verb.text["path"][0]):
        before = options(text.get("before", {}))
        for option in (*before, *verb.known()):
            value = None if option.arity == "flag" else "v"
            lines = [
                [*way, *verb.path.split(), "web"] if option in before else [*verb.path.split(), *way, "web"]
                for way in ways(option, value, verb.syntax)
            ]
            readings = {actions(shlex.join([verb.executable, *line])) for line in lines}
            assert len(readings) == 1, (verb.path, option, readings)


@st.composite
def two_spellings(draw: st.DrawFn) -> tuple[Verb, list[Option], list[str], list[str], list[str]]:
    """One command line written twice: same options, values and order, spelt independently."""
    verb = draw(st.sampled_from(VERBS))
    known = [option for option in verb.known() if option.spellings != ("-#",)]
    chosen = draw(st.lists(st.sampled_from(known), max_size=4)) if known else []
    operands = draw(st.lists(st.sampled_from(["web", "db", "api-1"]), max_size=3))
    first: list[str] = []
    second: list[str] = []
    for option in chosen:
        value = None if option.arity == "flag" else draw(VALUES)
        if option.arity == "optional" and draw(st.booleans()):
            value = None
        for words in (first, second):
            words += draw(st.sampled_from(ways(option, value, verb.syntax)))
    return verb, chosen, operands, first, second


@settings(max_examples=400)
@given(two_spellings(), st.booleans())
def test_no_spelling_of_an_option_changes_the_reading(
    case: tuple[Verb, list[Option], list[str], list[str], list[str]], operands_first: bool
) -> None:
    verb, chosen, operands, first, second = case
    readings = []
    for words in (first, second):
        after = operands_first and "stops_at_operand" not in verb.text and verb.syntax != "plain"
        line = [*operands, *words] if after else [*words, *operands]
        readings.append(actions(shlex.join([verb.executable, *verb.path.split(), *line])))
    assert readings[0] == readings[1]
    (action,) = readings[0]
    assert action.verb == verb.text.get("verb", verb.text["path"][0])
    selected = set(f"{verb.text.get('select', '')} {verb.text.get('name', '')}".split())
    if not any(selected & set(option.spellings) for option in chosen):
        expected = {"every": operands, "every-or-whole": operands, "first": operands[:1], "none": []}
        shape = verb.text.get("target", "none")
        assert list(action.targets) == expected.get(shape, list(action.targets))
        assert shape not in expected or not action.dynamic
