from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from interlock.targets import Action, actions, docker_logical_key

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CASES = SHARED / "cases" / "dedup.jsonl"


def cases() -> list[dict[str, object]]:
    if not CASES.exists():
        return []
    lines = CASES.read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if case["kind"] == "logical_key"]


def keys(command: str) -> set[str]:
    return {key for action in actions(command) for key in action.logical_keys}


def target_keys(command: str) -> set[str]:
    return {key for action in actions(command) for key in action.target_keys}


def shown(action: Action, expected: dict[str, object]) -> dict[str, object]:
    whole = {
        "verb": action.verb,
        "targets": list(action.targets),
        "scope": action.scope,
        "dynamic": action.dynamic,
    }
    return {name: whole[name] for name in {*expected, "dynamic"} if name in whole}


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here")
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['a']} | {case['b']}")
def test_case(case: dict[str, object]) -> None:
    a, b, expected = str(case["a"]), case["b"], case["expect"]
    if b is None:
        each = expected if isinstance(expected, list) else [expected]
        assert [shown(action, want) for action, want in zip(actions(a), each, strict=True)] == [
            {"dynamic": False, **want} for want in each
        ]
        return
    same_key, same_target = keys(a) == keys(str(b)), target_keys(a) == target_keys(str(b))
    assert keys(a)
    assert keys(str(b))
    wanted = {
        "same_key": same_key,
        "same_target": same_target,
        "different_key": not same_key,
        "different_target": not same_target,
    }
    assert wanted[str(expected)], (keys(a), keys(str(b)))


def test_published_examples() -> None:
    assert docker_logical_key("docker stop kometa-run") == "stop:kometa-run"
    assert docker_logical_key("docker compose stop kometa-run") == "stop:kometa-run"
    assert docker_logical_key("docker ps") is None
    assert docker_logical_key("") is None


def test_an_action_is_a_value() -> None:
    (action,) = actions("docker-compose -f a.yml -p shop stop web db")
    assert pickle.loads(pickle.dumps(action)) == action
    assert hash(pickle.loads(pickle.dumps(action))) == hash(action)
    assert {action} == set(actions("docker compose -f a.yml -p shop stop web db"))
    assert repr(action) == (
        "Action('docker compose', 'stop', targets=('web', 'db'), scope={'file': ['a.yml'], 'project': 'shop'})"
    )
    with pytest.raises(AttributeError):
        action.verb = "start"  # type: ignore[misc]
    action.scope["file"] = []
    assert action.scope["file"] == ["a.yml"]


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("pm2 start app.js -- --name x", ("app",)),
        ("pm2 restart api -- $ARGS", ("api",)),
        ("pm2 start npm --name api -- start", ("api",)),
    ],
)
def test_what_follows_the_dashes_of_pm2_is_for_the_script(command: str, targets: tuple[str, ...]) -> None:
    (action,) = actions(command)
    assert (action.targets, action.dynamic) == (targets, False)


@pytest.mark.parametrize("rest", ["push -f origin main", "push $REMOTE", "reset --hard HEAD~1", "commit -m 'a b'"])
def test_what_follows_the_verb_of_git_does_not_decide_the_repository(rest: str) -> None:
    (action,) = actions(f"git -C /srv/app {rest}")
    assert action.logical_keys == (f"{rest.split()[0]}:*@directory=/srv/app",)
    assert not action.dynamic
    (unknown,) = actions(f"git -C $DIR {rest}")
    assert unknown.dynamic


def test_getopt_long_reads_an_unambiguous_beginning_of_an_option() -> None:
    assert docker_logical_key("timeout --sig=9 5 docker stop web") == "stop:web"
    assert docker_logical_key("systemctl kill --sig 9 nginx") == "kill:nginx.service"
    assert docker_logical_key("systemctl stop --no nginx") is None  # --no-block, --no-wall …
    assert docker_logical_key("docker stop --tim 10 web") is None  # pflag reads whole names only


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("docker checkpoint rm web cp", ("checkpoint rm:web",)),
        ("docker rm --link web/alias", ("rm:web%2Falias",)),
        ("docker stop a%b=c", ("stop:a%25b%3Dc",)),
        ("docker image ls", ()),
        ("pm2 flush api", ("flush:process/api",)),
        ("pm2 monitor api", ("monitor:process/api",)),
        ("kubectl cp -n ns /tmp/foo web:/bar", ("cp:pod/web@namespace=ns",)),
        ("kubectl cp ns/web:/bar /tmp/foo", ("cp:pod/ns/web",)),
        ("env -S 'A=1 docker stop web' db", ("stop:web", "stop:db")),
        ("nice --10 docker stop web", ("stop:web",)),
        ("runuser -u x -- docker stop -t 5 web", ("stop:web",)),
        ("runuser - x -c 'docker stop web'", ("stop:web",)),
        ("eval docker stop 'web'", ("stop:web",)),
        ('sh -c "docker stop web; docker stop $X"', ("stop:web",)),
    ],
)
def test_keys_of_less_common_commands(command: str, keys: tuple[str, ...]) -> None:
    found = actions(command)
    assert tuple(key for action in found for key in action.logical_keys) == keys
    assert found


@pytest.mark.parametrize(
    "wrapper",
    [
        "pkexec",
        "pkexec --user bob --keep-cwd",
        "setpriv --reuid=1000 --regid 1000 --clear-groups --",
        "systemd-run --unit=x -p A=b --uid=bob --wait -qt",
        "systemd-run --user --scope",
        "systemd-run --on-calendar '*-*-* 03:00' --",
        "systemd-inhibit --what=sleep --why 'a b'",
        "taskset 0x3",
        "taskset -c 0,1",
        "chrt -f 10",
        "chrt --batch 0",
        "choom -n 5 --",
        "prlimit --nofile=1024 -c=0",
        "numactl -N 0 --membind 0",
        "unshare -fp --mount-proc",
        "unshare -n -w /srv",
        "strace -f -yo out -e trace=open -s 200",
        "strace -ttT -E A=b",
        "chronic",
        "unbuffer -p",
        "busybox nice -n 5",
        "ionice -c2 -n7",
        "stdbuf -oL",
        "flock -n /tmp/lock",
        "timeout -s KILL 5",
        "sudo -u x --",
        "doas -u x",
        "sudo nice -n 5 taskset -c 1 chrt -i 0 env A=b",
    ],
)
def test_wrappers_are_taken_off(wrapper: str) -> None:
    (action,) = actions(f"{wrapper} docker stop -t 5 web")
    assert (action.logical_keys, action.dynamic) == (("stop:web",), False)


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("su -s /bin/sh -c 'systemctl restart nginx' app", ("restart:nginx.service",)),
        ("su app -s /usr/bin/bash -c 'docker stop web'", ("stop:web",)),
        ("script -qc 'docker stop web' /dev/null", ("stop:web",)),
        ("script out --command='docker stop web; docker start db'", ("stop:web", "start:db")),
        ("busybox sh -c 'docker stop web'", ("stop:web",)),
        ("sg docker -c 'docker stop web'", ("stop:web",)),
        ("sg docker 'docker stop web'", ("stop:web",)),
        ("setpriv --reuid bob pm2 restart api", ("restart:process/api@user=bob",)),
        ("strace -u bob pm2 restart api", ("restart:process/api@user=bob",)),
        ("cd /srv && unshare -w app docker compose stop web", ("stop:web@directory=/srv/app",)),
        ("DOCKER_HOST=tcp://a pkexec docker stop web", ("stop:web",)),
        ("DOCKER_HOST=tcp://a systemd-run docker stop web", ("stop:web",)),
        ("DOCKER_HOST=tcp://a systemd-run --scope docker stop web", ("stop:web@host=tcp://a",)),
        ("systemd-run -E DOCKER_HOST=tcp://b docker stop web", ("stop:web@host=tcp://b",)),
        ("cd /srv; systemd-run --working-directory=/x docker compose stop web", ("stop:web@directory=/x",)),
    ],
)
def test_what_wrappers_change_for_the_command_inside(command: str, keys: tuple[str, ...]) -> None:
    (found, dynamic) = zip(*((action.logical_keys, action.dynamic) for action in actions(command)), strict=True)
    assert (sum(found, ()), any(dynamic)) == (keys, False)


@pytest.mark.parametrize(
    "command",
    [
        "taskset -p 123",
        "chrt -p 10 123",
        "strace -p 1 -o docker",
        "find /etc/docker -name docker",
        "su -",
        "pkexec --help",
    ],
)
def test_wrappers_without_a_command_do_nothing(command: str) -> None:
    assert actions(command) == ()


@pytest.mark.parametrize(
    "command",
    [
        'sh -c "docker stop $X"',
        "sh -c \"cd /x && docker stop '$X'\"",
        'su x -c "docker stop $X"',
        'watch "docker stop $X"',
        "sudo -h host docker stop web",
        "sudo $OPTIONS docker stop web",
        "timeout $T docker stop web",
        "timeout --new-option 5 docker stop web",
        "env -S '${A} b' docker stop web",
        "runuser -u x docker stop -t 5 web",
        "su x -s /usr/bin/python3 -c 'docker stop web'",
        "find . -name x -exec docker stop {} ';'",
        "find . -exec docker stop a + -exec docker start a +",
        "parallel -j 4 docker stop ::: web db",
        "parallel 'docker stop {}' ::: web db",
        "nsenter -t 1 -m -u -i -n docker stop web",
        "unshare -R /mnt docker stop web",
        "systemd-run -H host docker stop web",
        "systemd-run -M box docker stop web",
        "systemd-run -d docker stop web",
        "systemd-run -E DOCKER_HOST docker stop web",
        'strace -E "$V" docker stop web',
        'strace -E "DOCKER_HOST=$H" docker stop web',
        'script -c "docker stop $X" out',
        "taskset --new-option docker stop web",
        "xargs -I{} docker stop {}",
    ],
)
def test_what_a_wrapper_leaves_unknown_is_dynamic(command: str) -> None:
    (action,) = actions(command)
    assert (action.tool, action.targets, action.dynamic) == ("docker", (), True)
