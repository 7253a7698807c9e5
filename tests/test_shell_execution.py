"""A command and its canonical form run the same: argv, environment, redirections, status.

Generated commands run under dash, bash and bash --posix in a sandbox whose only programs are stubs
that print what they were given. One shell process runs a whole batch, each command in a subshell and
a directory of its own.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interlock import canonical_shell

SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash --posix": ["bash", "--posix"]}

# Values that turn a lost or gained quote into another argv: splitting, globbing, an opening and a
# closing bracket, a trailing backslash, nothing.
ENVIRONMENT = {
    "X": "a b",
    "G": "*",
    "O": "[",
    "C": "]",
    "B": "\\",
    "E": "",
    "K": "(a|b)",
    "HOME": "/h",
    "LC_ALL": "C.UTF-8",
}

STUB = """#!/bin/dash
r="${0##*/}("
for w do r="$r<$w>"; done
r="$r) A=${A-unset} P=${P-unset}"
case $1 in in) while IFS= read -r l; do r="$r|$l"; done; r="$r|$l";; esac
printf '%s\\n' "$r" >&"${T-1}"
case ${0##*/} in f1) exit 1;; esac
"""

# The text is the last thing evaluated, as it is by `sh -c`. It must not meet the driver's own variables, which
# hold it.
DRIVER = """
DRIVER_n=0
for DRIVER_text do
  DRIVER_n=$((DRIVER_n+1))
  ( cd "$DRIVER_n" && set -- one 't w' && eval "$DRIVER_text" ) </dev/null >"$DRIVER_n.out" 2>"$DRIVER_n.err"
  echo $? >"$DRIVER_n.status"
done
wait
"""

# fmt: off
FRAGMENTS = [
    "a", "b", "c", "-", "x=", "A=", ":", "/", ".", ",", "@", "%", "+", "0", "1", "\u00e9", "\u00a0",
    "''", '""', "'a'", '"b"', "'a b'", '"a  b"', "\\ ", "\\*", "'*'", '"?"', "'-'", "'['", "\\]", "'~'",
    "*", "?", "[", "]", "[ab]", "[a-c]", "[!a]", "[a'-'c]", "^", "!", "~", "~/", "{", "}", "{a,b}", "..", "{1..2}",
    "$", "$X", '"$X"', "${X}", "$G", '"$G"', "$O", "$C", "$B", "$E", '"$E"', "$U", "$1", "$2", '"$@"', "$@",
    '"$*"', "$#", '"$X b"', '"a$X"', '"${E:-a  b}"', "${U:-'p q'}", "$(f0 q)", '"$(f0 \'q  r\')"', "`f0 q`",
    "$((1+1))", '"`f0 q`"', "\\\n", "#", "\\a", "\\$", '"\\$X"', '"\\a"', "'\\'", "\r", "\f", "\t", "'\n'",
    "\\\\", "'\"'", "\"'\"", "=", "n[0]=", "n+=", "$K", "@", "A=$X", "A=~", "'A='", '"A=$X"',
    "n[$1]", "{{.a}}", "\u00c1",
]
COMMANDS = [
    "f0", "f0", "f0", "f1", "'f0'", "f\\0", "'if'", '"f0"', ":", "export", "readonly", "set -f", "alias", "f0 in",
    "$U", "if", "time", "'export'", "\\readonly", "command export", "command 'export'",
    "shopt -s extglob; f0", "set -k; f0",
]
SEPARATORS = [
    ";", " ; ", "\n", "\n\n", " &&", "|| ", " | ", "|", "&&\n", "|\n", "; # c\n", " # c \\\n", ";\n", " & ", "|&",
    "; ;", "\\\n;",
]
REDIRECTIONS = [
    ">.o", "> .o", "1>.o", ">>.o", "2>.o", "2>&1", ">&2", "<a", "0<a", "<>a", ">|.o", "<<E", "<<-E", "<<'E'", "<<\\E",
    "2 >.o", "'2'>.o", "&>.o", ">&.o", "<<<x",
]
# fmt: on
BODIES = ["x\n", "\t$X y\n", "  'q' \"r\"\n", "\\$X `f0 z`\n", "", "EOF\n", "a\\\nb\n"]


def word(rng: random.Random) -> str:
    return "".join(rng.choice(FRAGMENTS) for _ in range(rng.choice([1, 1, 2, 2, 3, 4])))


def simple_command(rng: random.Random, bodies: list[str]) -> str:
    parts = [f"{rng.choice('APx')}={word(rng)}" for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    parts.append(rng.choice(COMMANDS))
    parts += [word(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        redirection = rng.choice(REDIRECTIONS)
        if redirection.startswith("<<") and redirection != "<<<x":
            bodies.append(rng.choice(BODIES) + ("\t" if "-" in redirection and rng.random() < 0.5 else "") + "E\n")
        if redirection.endswith(".o"):
            redirection += str(rng.randrange(10**6))  # two writers would race, and a glob with either
        parts.insert(rng.randrange(len(parts) + 1), redirection)
    return rng.choice([" ", " ", "  ", "\t", " \\\n "]).join(parts)


def command_text(rng: random.Random) -> str:
    text, bodies = "", list[str]()
    for index in range(rng.choice([1, 1, 1, 2, 2, 3])):
        if index:
            separator = rng.choice(SEPARATORS)
            head, newline, tail = separator.partition("\n")
            text += head + newline
            if newline:
                text += "".join(bodies)
                bodies.clear()
            text += tail
        text += rng.choice(["", "", "", "", "! "]) + simple_command(rng, bodies)
    text += rng.choice(["", "", " ", ";", "\n", " # c", " &"]) if not bodies else ""
    text += "\n" + "".join(bodies) if bodies else ""
    return re.sub(r"\$(?=[$!])", "", text)  # a process number is another one in every run


def normalised_texts(rng: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """Distinct commands whose canonical form is another text."""
    seen = set()
    while len(seen) < count:
        text = command_text(rng)
        form = canonical_shell(text)
        if form != text and text not in seen:
            seen.add(text)
            yield text, form


def run(shell: str, texts: list[str], place: Path) -> list[tuple[object, ...]]:
    """What each command did: status, output, and the files it left."""
    stubs = place / "bin"
    stubs.mkdir(parents=True)
    for name in ("f0", "f1", "if", "n", "a"):
        (stubs / name).write_text(STUB)
        (stubs / name).chmod(0o755)
    for number in range(1, len(texts) + 1):
        directory = place / str(number)
        directory.mkdir()
        for file in ("a", "b", "a b"):
            (directory / file).write_text(f"in {file}\n")
    environment = {**ENVIRONMENT, "PATH": str(stubs)}
    program = shutil.which(SHELLS[shell][0])
    assert program
    subprocess.run(
        [program, *SHELLS[shell][1:], "-c", DRIVER, "sh", *texts], cwd=place, env=environment, check=True, timeout=240
    )
    outcomes = [observed(place, number) for number in range(1, len(texts) + 1)]
    shutil.rmtree(place)
    return outcomes


def observed(place: Path, number: int) -> tuple[object, ...]:
    output = (place / f"{number}.out").read_bytes()
    files = {path.name.encode(errors="surrogateescape"): path.read_bytes() for path in (place / str(number)).iterdir()}
    records = {name: unordered_lines(text) for name, text in files.items()}
    return (place / f"{number}.status").read_text(), unordered_lines(output), records


def unordered_lines(output: bytes) -> list[bytes]:
    """Commands in the background and in pipelines finish in any order; the shell's own messages carry
    line numbers."""
    return sorted(line for line in output.split(b"\n") if not line.startswith(b"sh: "))


def differing(pairs: list[tuple[str, str]], place: Path) -> list[str]:
    with ThreadPoolExecutor() as pool:
        reports = pool.map(lambda shell: differing_in(shell, pairs, place / shell), SHELLS)
        return [report for of_shell in reports for report in of_shell]


def differing_in(shell: str, pairs: list[tuple[str, str]], place: Path) -> list[str]:
    # In the same place one after the other: the working directory is part of what a command sees.
    originals = run(shell, [text for text, _ in pairs], place)
    forms = run(shell, [form for _, form in pairs], place)
    return [
        f"{shell}: {json.dumps(text)} -> {json.dumps(form)}\n  {original}\n  {printed}"
        for (text, form), original, printed in zip(pairs, originals, forms, strict=True)
        if original != printed
    ]


pytestmark = pytest.mark.skipif(
    any(shutil.which(command[0]) is None for command in SHELLS.values()), reason="needs dash and bash"
)


def test_a_thousand_commands_run_as_their_canonical_forms_do(tmp_path: Path) -> None:
    pairs = list(normalised_texts(random.Random(8785), 1000))
    reports = differing(pairs, tmp_path)
    assert not reports, "\n".join(reports)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_a_hundred_thousand_commands_run_as_their_canonical_forms_do(tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("INTERLOCK_SEED", "2718"))
    for batch in range(100):
        place = tmp_path / str(batch)
        reports = differing(list(normalised_texts(rng, 1000)), place)
        assert not reports, "\n".join(reports)
