//! Laws of `targets` for any input.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

use std::collections::HashMap;

use interlock::targets::{Action, actions, first_logical_key};
use proptest::prelude::*;

/// Words that bring a random line deep into the readers.
const VOCABULARY: &[&str] = &[
    "docker",
    "compose",
    "docker-compose",
    "podman",
    "kubectl",
    "systemctl",
    "helm",
    "pm2",
    "git",
    "service",
    "supervisorctl",
    "sudo",
    "env",
    "timeout",
    "xargs",
    "sh",
    "bash",
    "su",
    "nice",
    "flock",
    "watch",
    "-c",
    "-u",
    "-f",
    "-t",
    "-it",
    "-n",
    "-5",
    "-",
    "--",
    "--all",
    "--time=5",
    "--time",
    "--host",
    "-H",
    "-lc",
    "--nope",
    "stop",
    "rm",
    "run",
    "exec",
    "up",
    "delete",
    "get",
    "rollout",
    "restart",
    "scale",
    "volume",
    "container",
    "pod",
    "pod/x",
    "deploy,svc",
    "web",
    "web=3",
    "a:b",
    "/mnt/x",
    "nginx*",
    "''",
    "'a b'",
    "\"$X\"",
    "$X",
    "$(docker ps)",
    "A=1",
    "'docker stop web'",
    "'sh -c \"docker stop web\"'",
    ";",
    "&&",
    "|",
    "||",
    "&",
    "cd",
    "export",
    "alias",
    "time",
    "{}",
    "é",
    "\\",
    ">",
    "all",
];

/// Words without a character that a shell acts on.
const PLAIN: &[&str] = &[
    "docker",
    "docker-compose",
    "kubectl",
    "sudo",
    "env",
    "timeout",
    "time",
    "command",
    "export",
    "alias",
    "cd",
    "if",
    "then",
    "do",
    "done",
    "case",
    "A=1",
    "=1",
    "A+=1",
    "-n",
    "5",
    "-f",
    "--",
    "--time=5",
    "stop",
    "rm",
    "delete",
    "pod/x",
    "web",
    "a:b",
    "@",
    "%",
    "+",
    "sh",
    "-c",
    "exec",
];

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(VOCABULARY), 0..14).prop_map(|words| words.join(" "))
}

fn is_sound(action: &Action) {
    assert!(
        !action.dynamic || action.targets().next().is_none(),
        "a dynamic action names no target"
    );
    assert!(action.targets().count() <= action.objects.len());
    assert_eq!(action.logical_keys().count(), action.objects.len());
    assert!(action.targets().all(|target| !target.is_empty()), "{action:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_line_of_known_words_is_read_soundly(line in line()) {
        let found = actions(&line);
        found.iter().for_each(is_sound);
        let first = found.iter().find_map(|action| action.logical_keys().next());
        prop_assert_eq!(first_logical_key(&line), first);
    }

    #[test]
    fn any_text_is_read_soundly(text in ".{0,200}") {
        actions(&text).iter().for_each(is_sound);
    }

    /// A wrapper that only arranges how a command runs changes nothing in what it acts on.
    #[test]
    fn wrappers_do_not_change_the_reading(
        command in prop::sample::select(&[
            "docker stop -t 5 web", "kubectl delete pod x -n prod", "systemctl restart nginx",
            "helm uninstall rel", "docker compose -p shop up -d web", "docker stop $X",
        ][..]),
        wrappers in prop::collection::vec(prop::sample::select(&[
            "sudo", "sudo -n --", "env", "env A=1 B=2", "timeout 5", "timeout -k 1 --signal=9 5s",
            "nice -n 5", "nice -5", "ionice -c2 -n 0", "nohup", "setsid -w", "stdbuf -oL",
            "command", "/usr/bin/env --", "doas", "exec", "taskset -c 1", "chrt -i 0", "unshare -n", "strace -f",
        ][..]), 0..5),
    ) {
        let wrapped = wrappers.iter().rev().fold(command.to_owned(), |inner, outer| format!("{outer} {inner}"));
        prop_assert_eq!(actions(&wrapped), actions(command));
        if !command.contains('$') {
            prop_assert_eq!(actions(&format!("sh -ec '{wrapped}'")), actions(command));
        }
    }

    /// Plain commands are read without the parser: a comment sends them through it.
    #[test]
    fn a_plain_command_is_read_as_the_parser_would(
        words in prop::collection::vec(prop::sample::select(PLAIN), 0..9), blanks in " {1,2}",
    ) {
        let line = words.join(&blanks);
        prop_assert_eq!(actions(&line), actions(&format!("{line} # comment")));
    }

    /// Text that is an argument is never a command.
    #[test]
    fn arguments_of_other_commands_are_not_commands(line in line()) {
        let quoted = line.replace('\'', "");
        prop_assert_eq!(actions(&format!("echo '{quoted}'")), vec![]);
        prop_assert_eq!(actions(&format!("ssh host '{quoted}'")), vec![]);
    }

    /// A key determines verb, object and scope, whatever the names contain.
    #[test]
    fn keys_of_different_targets_differ(
        a in object(), b in object(),
    ) {
        let (left, right) = (actions(&a), actions(&b));
        if let ([left], [right]) = (&left[..], &right[..]) {
            let same = left.verb == right.verb && left.objects == right.objects && left.scope == right.scope;
            prop_assert_eq!(left.logical_keys().eq(right.logical_keys()), same);
        }
    }
}

fn object() -> impl Strategy<Value = String> {
    let name = "[a-c@=,:/%]{1,4}";
    let verb =
        prop::sample::select(&["docker stop", "docker volume rm", "docker rm", "docker rmi"][..]);
    (verb, name, prop::option::of("[a-b@=,:%]{1,3}")).prop_map(|(verb, name, host)| match host {
        Some(host) => format!("env DOCKER_HOST='{host}' {verb} -- '{name}'"),
        None => format!("{verb} -- '{name}'"),
    })
}

/// Work must grow with the input, not with its square: a text twice as long has twice the words.
#[test]
fn long_lines_are_read_whole_or_not_at_all() {
    let many = |count| format!("docker stop {}", "web ".repeat(count));
    assert_eq!(actions(&many(1024))[0].targets().count(), 1024);
    assert!(actions(&many(1025))[0].dynamic);
    let scope = |length| format!("docker -H {} stop web", "x".repeat(length));
    assert!(actions(&scope(4096))[0].targets().eq(["web"]));
    assert!(actions(&scope(4097))[0].dynamic);
    let exports = "export A=1; export DOCKER_HOST=a; ".repeat(1_800);
    let last = actions(&format!("{exports} docker stop web"));
    assert!(last[0].logical_keys().eq(["stop:web@host=a"]));
    let nested = "sudo ".repeat(12_000) + "docker stop web";
    assert!(actions(&nested)[0].targets().eq(["web"]));
    let pairs = format!("kubectl delete {} {}", vec!["pod"; 5_000].join(","), "x ".repeat(5_000));
    assert!(actions(&pairs)[0].dynamic);
    let huge = "docker stop ".repeat(1_000_000);
    assert!(actions(&huge).is_empty());
}

#[test]
fn scripts_in_scripts_are_followed_to_a_depth() {
    let nested = |depth: usize| {
        (0..depth).fold("docker stop web".to_owned(), |script, _| {
            format!("sh -c '{}'", script.replace('\'', "'\\''"))
        })
    };
    assert_eq!(actions(&nested(7)), actions("docker stop web"));
    assert_eq!(actions(&nested(8)), vec![]);
}

#[test]
fn every_class_has_its_name() {
    let commands = HashMap::from([
        ("docker start w", "start"),
        ("docker kill w", "stop"),
        ("docker restart w", "restart"),
        ("docker pause w", "pause"),
        ("docker unpause w", "resume"),
        ("docker create i", "create"),
        ("docker rm w", "delete"),
        ("docker service scale w=1", "scale"),
        ("docker update w", "update"),
        ("docker exec w ls", "execute"),
        ("docker logs w", "read"),
        ("docker frobnicate w", "other"),
    ]);
    for (command, class) in commands {
        assert_eq!(actions(command)[0].verb_class.name(), class, "{command}");
    }
}
