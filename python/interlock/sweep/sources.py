"""Finds and parses the Python files below a path."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interlock.sweep.findings import Unchecked

MAX_BYTES = 2 * 1024 * 1024
SKIPPED_FOLDERS = {".git", ".hg", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", "build", "dist"}
TEST_FILE = re.compile(r"^(test_.*|.*_test|conftest)\.py$")
TEST_FOLDERS = {"tests", "test", "testing"}
SUPPRESSION = re.compile(r"#\s*interlock:\s*ok\b[\s:,-]*(?P<reason>.*)$")


@dataclass(frozen=True)
class Source:
    """One parsed file.

    Attributes:
        path: as shown in findings.
        module: its dotted name, from the outermost package folder on.
        suppressions: line → reason, from ``# interlock: ok <reason>``; the reason may be empty.

    """

    path: str
    module: str
    is_package: bool
    tree: ast.Module
    suppressions: dict[int, str]


def load(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Source], list[Unchecked]]:
    """Parse every Python file below ``paths`` that is not a test; name what could not be parsed."""
    sources: list[Source] = []
    unchecked: list[Unchecked] = []
    for path in sorted(set(_files(map(Path, paths)))):
        try:
            sources.append(_parse(path))
        except FileNotFoundError:
            unchecked.append(Unchecked(_shown(path), "no such file or folder"))
        except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
            unchecked.append(Unchecked(_shown(path), _reason(error)))
    return sources, unchecked


def children(node: ast.AST) -> list[ast.AST]:
    """The child nodes of a node, as ``ast.iter_child_nodes`` gives them, at a third of its cost."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below and with ``node``, in no particular order."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending += children(current)


def is_test(path: Path) -> bool:
    """Whether a file is a test: its faults leak nothing."""
    return bool(TEST_FILE.match(path.name)) or bool(TEST_FOLDERS.intersection(path.parts[:-1]))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
            for name in names:
                found = Path(folder, name)
                # Judged below the path asked for: a project may itself live in a folder called "test".
                if name.endswith(".py") and not is_test(found.relative_to(path)):
                    yield found


def _parse(path: Path) -> Source:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    raw = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the swept code's own syntax warnings
        tree = ast.parse(raw, filename=str(path))
    name, is_package = module_name(path)
    return Source(_shown(path), name, is_package, tree, _suppressions(raw))


def module_name(path: Path) -> tuple[str, bool]:
    """Return the dotted name of a file and whether it is a package's ``__init__``."""
    path = path.resolve()
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.stem, path.name == "__init__.py"


def _suppressions(raw: bytes) -> dict[int, str]:
    """Comments only: the same words in a string suppress nothing."""
    if b"interlock:" not in raw:
        return {}
    found = {}
    for token in tokenize.tokenize(io.BytesIO(raw).readline):
        match = SUPPRESSION.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            found[token.start[0]] = match.group("reason").strip()
    return found


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"does not parse: {error.msg} (line {error.lineno})"
    return f"cannot be read: {error or type(error).__name__}"
