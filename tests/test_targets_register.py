from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from interlock.errors import GrammarError
from interlock.targets import actions, docker_logical_key, register_grammar, unregister_grammar

TABLE = """
tool = "deployctl"
uses_directory = true

[anywhere]
value = "-e|--environment"
flag = "-v|--verbose"

[scope]
"--environment" = "environment"

[environment]
DEPLOY_ENVIRONMENT = "environment"

[[verb]]
path = ["roll out", "rollout"]
class = "restart"
kind = "fleet"
target = "every"
value = "-w|--wait"

[[verb]]
path = ["stop"]
class = "stop"
target = "first"
stops_at_operand = true
"""
PATTERN = r"bounce (?P<verb>stop|start) (?:--zone=(?P<zone>\S+) )?(?P<target>\S+)"


@pytest.fixture
def registered(request: pytest.FixtureRequest) -> Iterator[str]:
    name = register_grammar(request.param)
    yield name
    assert unregister_grammar(name)
    assert not unregister_grammar(name)


@pytest.mark.parametrize("registered", [TABLE], indirect=True)
def test_a_table_is_read_like_a_built_in_one(registered: str) -> None:
    assert registered == "deployctl"
    (action,) = actions("sudo deployctl -e prod roll out -w 5 web db")
    assert (action.verb, action.verb_class, action.targets) == ("roll out", "restart", ("web", "db"))
    assert action.logical_keys == (
        "roll out:fleet/web@environment=prod",
        "roll out:fleet/db@environment=prod",
    )
    assert docker_logical_key("DEPLOY_ENVIRONMENT=prod deployctl rollout web") == action.logical_keys[0]
    assert docker_logical_key("cd /srv; deployctl stop web --nope") == "stop:web@directory=/srv"
    (unknown,) = actions("deployctl rollout --nope web")
    assert unknown.dynamic
    assert not unknown.targets


@pytest.mark.parametrize("registered", [PATTERN], indirect=True)
def test_a_pattern_matches_one_whole_command(registered: str) -> None:
    assert registered == PATTERN
    (action,) = actions("sudo bounce stop --zone=a 'web'")
    assert (action.tool, action.verb, action.targets) == ("bounce", "stop", ("web",))
    assert action.scope == {"zone": "a"}
    assert [found.verb for found in actions("bounce stop web && bounce start web")] == ["stop", "start"]
    assert actions("echo bounce stop web") == ()
    assert actions("bounce stop web now") == ()
    assert actions("bounce stop $WEB") == ()
    assert actions("bounce stop 'web db'") == ()


@pytest.mark.parametrize("registered", ['tool = "docker"\n[[verb]]\npath = ["stop"]\n'], indirect=True)
def test_a_registered_table_stands_before_the_built_in_one(registered: str) -> None:
    (action,) = actions("docker stop web")
    assert (action.verb_class, action.targets) == ("other", ())


def test_the_built_in_table_is_back() -> None:
    assert docker_logical_key("docker stop web") == "stop:web"


@pytest.mark.parametrize(
    ("grammar", "place", "message"),
    [
        ("tool =", "line 1, column 7", "quoted"),
        ("a = " + "[" * 200_000, "line 1, column 85", "recursion"),
        ('tool = "x"\nverbs = []', "line 2, column 1", "unknown field"),
        ('tool = ""', "tool", "must have a name"),
        ('tool = "x"\n[before]\nvalue = "host"', "before", "not an option"),
        ('tool = "x"\n[before]\nvalue = "-a|--all -a"', "before", "twice"),
        ('tool = "x"\n[scope]\n"--host" = "host"', 'scope "--host"', "neither"),
        ('tool = "x"\n[environment]\nH = "a=b"', 'scope "H"', "scope key"),
        ('tool = "x"\n[[verb]]\npath = ["a b c"]', 'verb "a b c"', "one word or two"),
        ('tool = "x"\n[[verb]]\npath = ["a", "a"]', 'verb "a"', "twice"),
        ('tool = "x"\n[[verb]]\npath = ["a"]\ntarget = "all"', "line 4, column 10", "unknown variant"),
        ('tool = "x"\n[[verb]]\npath = ["a"]\nselect = "--all"', 'verb "a"', "not among"),
        ('tool = "x"\n[[verb]]\npath = ["a"]\ninclude = ["s"]', 'verb "a"', "not defined"),
        ("#" * 300_000, "whole text", "262144 bytes"),
        (r"(?P<verb>\w+)", "pattern", "target"),
        (r"(?P<target>\w+)", "pattern", "verb"),
        (r"(?P<verb>a)(?P<target>(", "pattern", "unclosed"),
        (r"(?P<verb>a)(?=b)(?P<target>c)", "pattern", "look-around"),
        (r"(?P<verb>a)(?P<target>b)(?P<Zone>c)", "pattern", "Zone"),
        (r"(?P<verb>a{1000}{1000}{1000})(?P<target>b)", "pattern", "size limit"),
        (r"(?P<verb>" + "a" * 5000 + ")(?P<target>b)", "pattern", "4096 bytes"),
    ],
)
def test_a_bad_grammar_says_what_and_where(grammar: str, place: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message) as raised:
        register_grammar(grammar)
    assert raised.value.place == place


def test_the_number_is_bounded_and_a_name_is_replaced() -> None:
    names = [register_grammar(f'tool = "tool-{number}"') for number in range(64)]
    try:
        assert register_grammar('tool = "tool-0"') == "tool-0"
        with pytest.raises(GrammarError, match="64"):
            register_grammar('tool = "one-more"')
    finally:
        assert all(unregister_grammar(name) for name in names)


def test_registering_while_others_read() -> None:
    wrong: list[object] = []

    def read() -> None:
        for _ in range(300):
            found = [action.verb for action in actions("swap stop web; swap stop web")]
            if found not in ([], ["stop", "stop"]):
                wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        unregister_grammar(register_grammar('tool = "swap"\n[[verb]]\npath = ["stop"]\ntarget = "every"'))
    assert not wrong
