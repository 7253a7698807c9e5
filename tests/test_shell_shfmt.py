"""Equal canonical forms have equal syntax trees in an independent parser, shfmt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interlock import canonical_shell

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[2] / "shared"))


# Beside the interpreter, where the wheel of shfmt-py puts it, or on the PATH.
SHFMT = shutil.which("shfmt", path=str(Path(sys.executable).parent)) or shutil.which("shfmt")


def test_equal_forms_have_equal_trees_in_another_parser() -> None:
    if SHFMT is None:
        pytest.skip("needs shfmt (PyPI shfmt-py)")
    commands = [command for command in recorded_commands() if canonical_shell(command) != command]
    assert commands
    for command in commands[:: max(1, len(commands) // 300)]:
        assert tree(SHFMT, command) == tree(SHFMT, canonical_shell(command)), command


def recorded_commands() -> list[str]:
    """Those of the reference service, and many more where the shared ones are."""
    cycles = Path(__file__).resolve().parents[1] / "examples" / "union_station" / "dedup_cycles.json"
    found = [proposal["command"] for proposal in json.loads(cycles.read_text()) if proposal["kind"] == "shell"]
    file = SHARED / "data" / "commands" / "nl2bash.txt"
    return found + (file.read_text().splitlines() if file.exists() else [])


def tree(shfmt: str, command: str) -> Any:
    text = subprocess.run([shfmt, "--to-json"], input=command, capture_output=True, text=True, check=True).stdout
    return meaning(json.loads(text))


def meaning(node: Any) -> Any:
    """A syntax tree of shfmt without places, comments and the style of quotes."""
    if isinstance(node, list):
        return [meaning(child) for child in node]
    if not isinstance(node, dict):
        return node
    if "Parts" in node and node.get("Type") != "DblQuoted":
        return {"word": parts(node["Parts"])}
    return {key: meaning(child) for key, child in node.items() if key != "Comments" and not is_place(child)}


def is_place(node: Any) -> bool:
    return isinstance(node, dict) and {"Offset", "Line", "Col"} >= node.keys()


def parts(nodes: list[dict[str, Any]]) -> list[Any]:
    flat: list[Any] = []
    for node in nodes:
        literal = None
        if node["Type"] == "Lit":
            literal = unescaped(node.get("Value", ""))
        elif node["Type"] == "SglQuoted":
            literal = node.get("Value", "")
        elif node["Type"] == "DblQuoted":
            for inner in node.get("Parts", []):
                if inner["Type"] == "Lit":
                    add_literal(flat, unescaped(inner.get("Value", ""), within='$`"\\\n'))
                else:
                    flat.append(["quoted", meaning(inner)])
            continue
        if literal is None:
            flat.append(meaning(node))
        else:
            add_literal(flat, literal)
    return [part for part in flat if part != ""]


def add_literal(flat: list[Any], text: str) -> None:
    if flat and isinstance(flat[-1], str):
        flat[-1] += text
    else:
        flat.append(text)


def unescaped(text: str, within: str | None = None) -> str:
    result, index = "", 0
    while index < len(text):
        if text[index] == "\\" and index + 1 < len(text) and (within is None or text[index + 1] in within):
            index += 1
            result += "" if text[index] == "\n" else text[index]
        else:
            result += text[index]
        index += 1
    return result
