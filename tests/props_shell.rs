//! Laws of the canonical shell form over generated lists and random renderings of them.

#![allow(clippy::unwrap_used)] // a refusal fails the test

mod shell_rendering;

use std::borrow::Cow;

use interlock::hashing::shell::ast::List;
use interlock::hashing::shell::{MAX_BYTES, canonical, parse, print};
use proptest::prelude::*;
use shell_rendering::{list, render};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_time: 10_000, ..ProptestConfig::default() })]

    /// Law 2: every rendering of a list is read as that list, and the printer is one of them.
    #[test]
    fn every_rendering_is_the_list((list, seed) in (list(), any::<u64>())) {
        let printed = print(&list);
        prop_assert_eq!(parse(&printed), Some(list.clone()), "printed: {}", printed);
        let rendered = render(&list, seed);
        prop_assert_eq!(parse(&rendered), Some(list), "rendered: {}", rendered);
    }

    /// Law 2: cosmetics never split.
    #[test]
    fn every_rendering_has_one_canonical_form((list, seed) in (list(), any::<u64>())) {
        let rendered = render(&list, seed);
        prop_assert_eq!(canonical(&rendered).unwrap(), print(&list), "rendered: {}", rendered);
    }

    /// Laws 2 and 3 rest on this: another list is another text.
    #[test]
    fn other_lists_print_otherwise((one, other) in (list(), list())) {
        prop_assert_eq!(one == other, print(&one) == print(&other));
    }

    /// Law 1, on arbitrary text over the characters the grammar knows.
    #[test]
    fn canonical_is_idempotent(text in hostile_text()) {
        let form = canonical(&text).unwrap().into_owned();
        prop_assert_eq!(canonical(&form).unwrap(), form.as_str());
    }

    /// Law 4: what does not parse is its own form; what parses and is changed is changed into the
    /// same list.
    #[test]
    fn changed_text_keeps_its_list(text in hostile_text()) {
        if let Cow::Owned(form) = canonical(&text).unwrap() {
            prop_assert!(parse(&text).is_some());
            prop_assert_eq!(parse(&form), parse(&text), "{}", form);
        }
    }
}

proptest! {
    /// The short cut for plain text takes no other way than the printer would.
    #[test]
    fn plain_text_is_its_own_form(text in "[a-z=+:%@A-]{1,4}( [a-zA=+:.,/@%_0-9-]{1,4}){0,3}") {
        prop_assert_eq!(canonical(&text).unwrap(), text.as_str());
        let commented = format!("{text} # why");
        let form = canonical(&commented).unwrap();
        prop_assert!(form == text || form == commented, "{}", form);
    }
}

/// Characters and runs that change what a shell reads, in any order.
fn hostile_text() -> impl Strategy<Value = String> {
    const FRAGMENTS: &[&str] = &[
        "a",
        "b",
        "1",
        "_",
        " ",
        " ",
        "\t",
        "\n",
        "\\",
        "'",
        "\"",
        "$",
        "`",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "<",
        ">",
        "|",
        "&",
        ";",
        "#",
        "!",
        "~",
        "*",
        "?",
        "=",
        ":",
        ",",
        "..",
        "-",
        "+",
        "$(",
        "${",
        "))",
        "$((",
        "<<E\n",
        "\nE\n",
        "<<-'E'",
        "\\\n",
        "''",
        "\"\"",
        "$x",
        "\"$x\"",
        "${x:-y}",
        "$@",
        "A=",
        "a[",
        "\r",
        "\u{c}",
        "\u{a0}",
        "é",
        "if",
        "export ",
        "set ",
        "2>",
        ">&",
        "&>",
        "x=~",
        "LINENO",
        "\u{1f600}",
    ];
    prop::collection::vec(prop::sample::select(FRAGMENTS), 0..24).prop_map(|parts| parts.concat())
}

#[test]
fn lines_are_joined_only_where_the_next_is_read_the_same() {
    assert_eq!(canonical("make\nls").unwrap(), "make; ls");
    assert_eq!(canonical("printf %s \"$x\"\nread y").unwrap(), "printf %s \"$x\"; read y");
    let breaking = [
        "alias ls=rm",
        "unalias ls",
        "set -e",
        "shopt -s extglob",
        "enable x",
        "eval x",
        ". x",
        "source x",
        "trap x EXIT",
        "command alias ls=rm",
        "builtin set -e",
        "$x",
        "\"$x\" y",
        "'alias' ls=rm",
        "readonly x",
        "declare x",
        "UID=1",
        "BASH_ALIASES=x",
        "echo $((1))",
        "echo ${!x}",
        "echo ${x:=y}",
        "echo $LINENO",
        "printf -v 'BASH_ALIASES[ls]' rm",
        "printf -v \"$n\" rm",
        "printf $f",
        "read $x",
    ];
    for line in breaking {
        let text = format!("{line}\nls");
        assert_eq!(canonical(&text).unwrap(), text);
    }
}

#[test]
fn text_over_the_limit_is_its_own_form() {
    let within = format!("echo  {}", "a".repeat(MAX_BYTES - 6));
    assert!(matches!(canonical(&within), Ok(Cow::Owned(_))));
    let over = format!("echo  {}", "a".repeat(MAX_BYTES - 5));
    assert_eq!(canonical(&over), Ok(Cow::Borrowed(over.as_str())));
}

#[test]
fn text_printed_over_the_limit_is_its_own_form() {
    // Each escaped quote takes two bytes, and four inside single quotes.
    let quotes = format!("echo  {}", "\\'".repeat(MAX_BYTES / 3));
    assert!(quotes.len() < MAX_BYTES);
    assert_eq!(canonical(&quotes), Ok(Cow::Borrowed(quotes.as_str())));
}

#[test]
fn nesting_over_the_limit_is_its_own_form() {
    let nested = |depth: usize| format!("echo  {}{}", "$(a ".repeat(depth), ")".repeat(depth));
    assert!(matches!(canonical(&nested(32)), Ok(Cow::Owned(_))));
    assert_eq!(canonical(&nested(33)), Ok(Cow::Borrowed(nested(33).as_str())));
}

#[test]
fn ten_megabytes_of_anything_are_read_at_once() {
    for unit in
        ["(", "$(", "`", "\\", "'", "\"", "<<E\n", "${", "$((", "a ", "&&", "\n", "{", "\"$("]
    {
        let text = unit.repeat((10 << 20) / unit.len());
        assert_eq!(canonical(&text), Ok(Cow::Borrowed(text.as_str())));
    }
}

#[test]
fn the_longest_text_within_the_limit_takes_linear_work() {
    let units = [
        "(", "$(", "`a` ", "\\", "'' ", "\"$x\" ", "<<E ", "${x", "$((1)) ", "{a,b} ", "[a]$x",
        "~:", "a;", "a\n", "EOF\n", "$x", "a=~:", "\\\n", "# c\n", "a|", "a&&", "2>&1 ", "*", "{,",
        "[",
    ];
    for unit in units {
        for head in ["echo ", "cat <<'E'\n", "x="] {
            let text = format!("{head}{}", unit.repeat((MAX_BYTES - 16) / unit.len()));
            let form = canonical(&text).unwrap().into_owned();
            assert_eq!(canonical(&form).unwrap(), form.as_str());
        }
    }
}

#[test]
fn a_nul_is_refused_with_its_place() {
    let refused = canonical("é\0").unwrap_err().to_string();
    assert!(refused.contains("character 1"), "{refused}");
}

#[test]
fn nothing_to_run_is_the_empty_form() {
    for text in ["", " ", "\n", "# only a comment", " \t\\\n # c \\\n\n"] {
        assert_eq!(canonical(text).unwrap(), "");
        assert_eq!(parse(text), Some(List::default()));
    }
}
