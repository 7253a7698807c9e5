"""The canonical form of shell commands: what merges, what must not, what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock import CanonicalizationError, canonical_shell, shell_command_hash

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SHELLS = [["dash"], ["bash"], ["bash", "--posix"]]

EQUAL = [
    ("docker  stop\tweb", "docker stop web"),
    ("docker stop web;", "docker stop web"),
    ("a\nb", "a; b"),
    ("a;\n\n# then\nb\n", "a; b"),
    ("a &&\n  b", "a && b"),
    ("a|b", "a | b"),
    ("a&b", "a & b"),
    ("echo a\\\nb", "echo ab"),
    ("echo a \\\n  b", "echo a b"),
    ("'docker' stop w\"e\"b", "docker stop web"),
    ("docker run -e 'A=1' x", "docker run -e A=1 x"),
    ("find . \\! -name '*.o' -exec rm {} \\;", "find . ! -name \"*.o\" -exec rm '{}' ';'"),
    ("git show 'HEAD~1'", "git show HEAD~1"),
    ("FOO='' cmd", "FOO= cmd"),
    ("cmd > out 2>& 1", "cmd 1>out 2>&1"),
    (">out cmd", "cmd >out"),
    ("echo \"$HOME\"/'a b'", 'echo "$HOME"/a\\ b'),
    ('"a $X"', "'a '\"$X\""),
    ("cat <<A\nx\nA\n", "cat <<'B'\nx\nB"),
    ("cat <<-'A'\n\tx\n\tA\n", "cat <<'A'\nx\nA\n"),
    ("cat <<A\nx\nA\nls", "cat <<A; ls\nx\nA\n"),
    ("[ -f x ] && rm x", "'[' -f x ']'  &&  rm x"),
    ("export A=1", "'export' \"A=1\""),
    ('export PATH="$PATH:/x"', 'export "PATH=$PATH:/x"'),
    ("docker ps --format {{.Names}}", "docker ps --format '{{.Names}}'"),
    ('echo """$X"', "echo \"$X\"''"),
    ("kill  $(jobs -p)", "kill $(jobs -p)"),
]

# Each of these runs differently in at least one of the three shells.
DIFFERENT = [
    ("rm *", "rm '*'"),
    ("ls ~", "ls '~'"),
    ("ls ~root", "ls ~'root'"),
    ("echo $X", 'echo "$X"'),
    ("''$X", "$X"),
    ('echo ""', "echo"),
    ("echo [a-z]", "echo [a'-'z]"),
    ("echo ${O}a-c]", "echo ${O}a'-'c]"),
    ("echo $B'a'*", "echo ${B}a*"),
    ("echo $X\\ $", "echo $X' $'"),
    ('echo "$X$@"', 'echo "$X""$@"'),
    ("echo {$X,$Y}z", "echo {$X,$Y}'z'"),
    ("echo {a,b}", "echo {a','b}"),
    ("echo A=~", "echo 'A='~"),
    ("A=b:~/x cmd", "A=b':'~/x cmd"),
    ("A=1 cmd", "'A'=1 cmd"),
    ("export A=~", "export 'A=~'"),
    ("export A=$X", "export 'A='$X"),
    ("set -k; cmd A=1", "set -k; cmd 'A=1'"),
    ("X='a b'; export A=$X; echo $A", "X='a b'; 'export' A=$X; echo $A"),
    ("X='a b'; readonly A=$X; echo $A", "X='a b'; \\readonly A=$X; echo $A"),
    ("command export A=~; echo $A", "command 'export' A=~; echo $A"),
    ("declare -a A='(1 2)'; echo $A", "declare -a 'A=(1 2)'; echo $A"),
    ("P='(a|b)'; shopt -s extglob; echo +$P", "P='(a|b)'; shopt -s extglob; echo '+'$P"),
    ("read -a a; N='$((1+0))'; unset a[$N]", "read -a a; N='$((1+0))'; unset 'a'[$N]"),
    ('V=@; echo "$U${!V}"', 'V=@; echo "$U""${!V}"'),
    ("echo {a..c}", "echo {a'..'c}"),
    ("set -v; ls\n# why", "set -v; ls"),
    ("sleep '9' & echo $(jobs)", "sleep 9 & echo $(jobs)"),
    ("set -m; auto_resume=; 'f0'", "set -m; auto_resume=; f0"),
    ("if", "'if'"),
    ("! a", "'!' a"),
    ("echo 2>f", "echo '2'>f"),
    ("echo 2 >f", "echo 2>f"),
    ("echo 10>f", "echo 10 >f"),
    ("echo {fd}>f", "echo '{fd}'>f"),
    ("cmd &>f", "cmd & >f"),
    ("cmd 2>&1 >f", "cmd >f 2>&1"),
    ("a#b", "a #b"),
    ("echo a\u00a0b", "echo a b"),
    ("echo a\rb", "echo a b"),
    ("echo a\fb", "echo a b"),
    ("# c \\\nls", "# c ls"),
    ("cat <<A\n$X\nA\n", "cat <<'A'\n$X\nA\n"),
    ("cat <<A\n\tx\nA\n", "cat <<-A\n\tx\nA\n"),
    ("alias ls='rm -rf x'\nls", "alias ls='rm -rf x'; ls"),
    ("set -e\nls", "set -e; ls"),
    ("echo $((1/0))\nls", "echo $((1/0)); ls"),
    ("UID=1\nls", "UID=1; ls"),
    ("echo ${!x}\nls", "echo ${!x}; ls"),
    ("$c\nls", "$c; ls"),
    ("printf -v 'BASH_ALIASES[ls]' %s 'echo hi'\nls", "printf -v 'BASH_ALIASES[ls]' %s 'echo hi'; ls"),
    ("echo a; echo $LINENO", "echo a\necho $LINENO"),
    ("echo \\\n$LINENO", "echo $LINENO"),
    ("echo 'a' $BASH_COMMAND", "echo a $BASH_COMMAND"),
    ("sleep '9' & jobs", "sleep 9 & jobs"),
    ("(cd x)", "cd x"),
]

RAW = [
    "echo  'unterminated", "a  &&", "echo  $(", "(a;  b)", "{ a;  b; }", "if a;  then b; fi", "f()  { a; }", "a  |& b",
    "[[  a ]]", "cat  <<<x", "cat  <(ls)", "echo  $'a'", 'echo  $"a"', "a  ;; b", "case  x in x) ;; esac",
    "cat  <<A\nx", "echo  a\\", "time  ls", "a+=1  b", "a[0]=1  b", "echo  $10", "echo  $[1]", "a  >&f",
    "cat  <<A\na\\\nA\nA\n", " -x  foo", "+x  foo", "set  | cat", "declare  -p", "cat  <<A\nx\nA\n" * 17,
    "echo  $X\\\nY", "a &\\\n&  b", "!  ! a", "echo  `a \\`b\\``", "echo  $(a # b\n)", "for  i in a; do b; done",
    "echo  a 2>&1>f", "echo  a >2>&1", "echo  a >2<f", "echo  a >22>f", "echo  a <<1>f\nx\n1\n", "echo  a >{x}>f",
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_cosmetics_merge(one: str, other: str) -> None:
    assert canonical_shell(one) == canonical_shell(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_runs_differently_does_not_merge(one: str, other: str) -> None:
    assert canonical_shell(one) != canonical_shell(other)


@pytest.mark.parametrize("text", RAW)
def test_what_is_not_on_the_whitelist_is_its_own_form(text: str) -> None:
    assert canonical_shell(text) == text


@pytest.mark.parametrize("place", range(2))
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_near_misses_run_as_their_canonical_forms_do(shell: list[str], place: int, tmp_path: Path) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"needs {shell[0]}")
    for pair in DIFFERENT:
        text = pair[place]
        if "sleep" in text or "rm" in text:
            continue
        outcomes = []
        for command in (text, canonical_shell(text)):
            done = subprocess.run([*shell, "-c", command], cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL)
            left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
            outcomes.append((done.returncode, done.stdout, left))
        assert outcomes[0] == outcomes[1], text


def shared_cases() -> Iterator[Any]:
    file = SHARED / "cases" / "dedup.jsonl"
    if not file.exists():
        yield pytest.param({}, marks=pytest.mark.skip(reason="the shared cases are not here"))
        return
    for line in file.read_text().splitlines():
        case = json.loads(line)
        if case["kind"] in ("shell_equal", "shell_differ"):
            yield pytest.param(case, id=case["why"])


@pytest.mark.parametrize("case", list(shared_cases()))
def test_shared_cases(case: dict[str, str]) -> None:
    equal = canonical_shell(case["a"]) == canonical_shell(case["b"])
    assert equal == (case["expect"] == "equal")


def real_commands() -> list[str]:
    folder = SHARED / "data" / "commands"
    if not folder.exists():
        pytest.skip("the shared commands are not here")
    return [line for name in ("nl2bash", "operations") for line in (folder / f"{name}.txt").read_text().splitlines()]


def test_real_commands_have_stable_forms_that_keep_cosmetics_out() -> None:
    raw = 0
    for command in real_commands():
        form = canonical_shell(command)
        assert canonical_shell(form) == form
        if command.endswith("\\"):
            continue  # what follows would be escaped
        if canonical_shell(command + "  ") == command + "  ":
            raw += 1
        else:
            assert canonical_shell(f"# why\n\t{command}  # so\n") in (form, f"# why\n\t{command}  # so\n")
    assert raw < 400


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40))
def test_the_hash_is_of_the_canonical_form(command: str) -> None:
    digest = hashlib.sha256(canonical_shell(command).encode()).hexdigest()
    assert shell_command_hash(command) == digest[:12]
    assert shell_command_hash(command, length=64) == digest


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8), min_size=1))
def test_any_quoting_of_an_argument_list_is_one_command(argv: list[str]) -> None:
    assume(not argv[0].startswith(("-", "+")))  # a form that `sh -c` would read as an option is not printed
    single = " ".join("'" + word.replace("'", "'\\''") + "'" for word in argv)
    double = "\t".join('"' + "".join("\\" + c if c in '$`"\\' else c for c in word) + '"' for word in argv)
    form = canonical_shell(double + " # argv")
    assume("# argv" not in form or "# argv" in argv[-1])  # a bare `set` tells of its surroundings and is kept whole
    assert canonical_shell(single) == form


@pytest.mark.parametrize("length", [0, -1, 65, 2**70])
def test_a_length_outside_the_digest_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        shell_command_hash("ls", length=length)


def test_what_no_shell_can_be_given_is_refused_with_its_place() -> None:
    for function in (canonical_shell, shell_command_hash):
        with pytest.raises(CanonicalizationError, match="NUL at character 5") as nul:
            function("echo \0")
        assert nul.value.reason == "nul"
        with pytest.raises(CanonicalizationError, match="lone surrogate at character 6") as surrogate:
            function("echo é\udc80")
        assert surrogate.value.reason == "surrogate"
        with pytest.raises(CanonicalizationError, match="NUL"):
            function("a" * 100_000 + "\0")


def test_a_subclass_of_str_gives_a_plain_str() -> None:
    class Command(str):
        __slots__ = ()

    assert type(canonical_shell(Command("ls"))) is str
    assert shell_command_hash(Command("ls")) == shell_command_hash("ls")


def test_only_text_is_a_command() -> None:
    for function in (canonical_shell, shell_command_hash):
        with pytest.raises(TypeError):
            function(b"ls")
