"""Pairs of commands that look alike and must not share a canonical form, by what tells them apart."""

from __future__ import annotations

import pytest

from interlock import canonical_shell

# fmt: off
PAIRS: dict[str, list[tuple[str, str]]] = {
    "quoting of bash": [
        ("f $'a'", "f $a"), ("f $'a'", "f '$a'"), ("f $'a'", "f a"), ('f $"a"', 'f "$a"'), ('f $"a"', "f a"),
        (r'f "a\b"', "f ab"), (r'f "a\b"', r"f a\b"), (r'f "\n"', "f n"), (r'f "\`"', r"f '\`'"),
    ],
    "braces": [
        ("f {a,b}", "f '{a,b}'"), ("f {a,b}", 'f "{a,b}"'), (r"f {a,b\,c}", "f {a,b,c}"), ("f {1..3}", "f '{1..3}'"),
        ("f {}", "f ''"), ("f x{a,$y}", "f x{a,'$y'}"), ('f "{a,b}"x', "f {a,b}x"), ("f {a,'b'}", "f {a,b}c"),
    ],
    "tildes": [
        ("f ~/x", "f '~/x'"), ("f ~/x", 'f "~"/x'), ("f ~/x", r"f \~/x"), ("f ~+", "f '~+'"), ("f ~a", "f ~'a'"),
        ("a=~/x f", "a='~/x' f"), ("export x=~", "export 'x=~'"), ("f a=~", "f 'a=~'"),
    ],
    "patterns": [
        ("f *", r"f \*"), ("f .*", "f '.*'"), ("f ?", "f '?'"), ("f [a]", "f '[a]'"), ("f [!a]", "f ['!a']"),
        ("f [a-z]", "f [a'-'z]"), ("f !(a)", "f '!(a)'"), ("f +(a)", "f '+(a)'"), ("f @(a|b)", "f @ (a|b)"),
        (r"f [\]]", "f []]"), ("f [[:alpha:]]", "f '[[:alpha:]]'"),
    ],
    "negation": [("! f", "'!' f"), ("! f", "f"), ("!f", "! f"), ("! ! f", "f")],
    "here-documents": [
        ("f <<E\n$x\nE\n", "f <<'E'\n$x\nE\n"), ("f <<E\n$x\nE\n", "f <<\\E\n$x\nE\n"),
        ("f <<-E\n\tx\nE\n", "f <<E\n\tx\nE\n"), ("f <<-E\n\t$x\n\tE\n", "f <<E\n\t$x\nE\n"),
        ("f <<E\nx\nE\n", "f <<<x"), ("f <<<x", "f < x"), ("f <<'E'\na\\\nb\nE\n", "f <<E\na\\\nb\nE\n"),
        ("f <<E\n'a'\nE\n", "f <<E\na\nE\n"), ("f <<E|b\nx\nE\n", "f | b <<E\nx\nE\n"),
        ("f <<A <<B\na\nA\nb\nB\n", "f <<B <<A\nb\nB\na\nA\n"), ("f <<E\nE\n", "f <<E\n\nE\n"),
    ],
    "substitutions": [
        ("f <(a) b", "f < (a) b"), ("f <(a) b", "f '<(a)' b"), ("f $((1+1))", "f 2"), ("f $(a)", 'f "$(a)"'),
        ("f $(a  b)", "f $(a b)"), ('f "$(f "a  b")"', 'f "$(f "a b")"'), ("f ${x}y", "f $xy"), ('f "$x"', "f $x"),
        ("f '$x'", "f $x"), ('f "$@"', "f $@"), ('f "$*"', 'f "$@"'), ("f $10", "f ${10}"), ("f $ x", "f $x"),
    ],
    "constructs": [
        ("((a))", "(a)"), ("((a))", "( (a) )"), ("(a)", "a"), ("{ a; }", "a"), ("[[ a ]]", "[ a ]"),
        ("[[ a = b* ]]", "[[ a = 'b*' ]]"), ("case a in a) b;; esac", "case a in a) b;;& esac"),
        ("case a in a) b;; esac", "case a in a) b;& esac"), ("coproc a", "a"), ("time a", "'time' a"),
        ("time -p a", "time a"), ("f() { a; }", "f () { b; }"), ("f() a", "'f()' a"), ("'if' x", "if x"),
        ("alias a=b\na", "alias a=b; a"), ("while a; do b; done", "until a; do b; done"), ("let a=1", "let 'a = 1'"),
    ],
    "blanks": [
        ("f\\\noo a", "f oo a"), ("f a\\\nb", "f a b"), ("f 'a\\\nb'", "f ab"), ("f\r", "f"), ("f \r", "f"),
        ("f\r\nb", "f\nb"), ("f\u00a0b", "f b"), ("f\u3000b", "f b"), ("f\u2028b", "f b"), ("f\x0bb", "f b"),
        ("f\x0cb", "f b"), ("f \u200bx", "f x"), ("\ufefff x", "f x"), ("f a\\\tb", "f a b"), ("f é", "f e\u0301"),
        ("f \\", "f"), ("f ''", "f"), ("f '' b", "f b"), ("f ''b", "f '' b"), ("''", "' '"),
    ],
    "comments": [("f #b", "f '#b'"), ("f#b", "f #b"), (r"f \#b", "f #b"), ("f $x#b", "f $x #b"), ("f;#b", "f '#b'")],
    "assignments": [
        ("x=1 f", "f x=1"), ("x=1", "'x=1'"), ("x=1 f", "'x=1' f"), ("x=1 y=2 f", "y=2 x=1 f"), ("x=1 :", "x=1"),
        ("x=1; :", "x=1 :"), ("x=(a b)", "x='(a b)'"), ("x+=a f", "'x+=a' f"), ("x[0]=a", "'x[0]=a'"),
        ("export x=$y", "export 'x=$y'"), ("export x=$y", 'export "x=$y"'), ("local a=$x", "local 'a'=$x"),
    ],
    "redirections": [
        ("f >b >c", "f >c >b"), ("f 2>&1 >b", "f >b 2>&1"), ("f >&b", "f &>b"), ("f &>b", "f & >b"),
        ("f 2>b", "f 2 >b"), ("f 2>b", "f '2'>b"), ("f 12>b", "f 12 >b"), ("f {fd}>b", "f {fd} >b"),
        ("f >|b", "f > b"), ("f <>b", "f < b"), ("f >>b", "f > b"), ("f >&-", "f >'-'"), ("f <&0", "f <0"),
        ("f |& b", "f | b"), ("f |& b", "f & b"), (r"f \1>x", "f 1>x"), ("f a1>x", "f a 1>x"), ("f >b c", "f >'b c'"),
    ],
    "lists": [
        ("a & b", "a && b"), ("a || b", "a | b"), ("a;b", "a&b"), ("a &", "a"), ("a && b || c", "a || b && c"),
        ("a;;b", "a;b"), ("f a;", "f 'a;'"), (r"f a\;", "f a;"), ("a=b\nc", "a=b c"),
        ("f -exec g {} \\;", "f -exec g {} +"),
    ],
    "builtins": [
        ("eval 'a b'", "eval a b"), ("set -- a", "set a"), ("set -x a", "set -x; a"), ("exec a", "a"),
        ("command a", "a"),
        ("builtin a", "a"), (". ./x", "source ./x"), ("[ a = b ]", "test a = b"), (r"[ a \< b ]", "[ a < b ]"),
        ("f -- -x", "f -x"),
    ],
}
# fmt: on


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_that_look_alike_are_kept_apart(kind: str) -> None:
    merged = [(one, other) for one, other in PAIRS[kind] if canonical_shell(one) == canonical_shell(other)]
    assert not merged
