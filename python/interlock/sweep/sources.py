"""Finds and parses the Python files below a path."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from interlock.sweep.findings import Unchecked
from interlock.sweep.suppressions import Suppressions, suppressions_of

MAX_BYTES = 2 * 1024 * 1024
SKIPPED_FOLDERS = {
    ".git", ".hg", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", "site-packages",
}  # fmt: skip
TEST_FILE = re.compile(r"^(test_.*|.*_test|tests|conftest)\.py$")
TEST_FOLDERS = {"tests", "test", "testing"}


@dataclass(frozen=True)
class Source:
    """One parsed file.

    Attributes:
        path: as shown in findings.
        module: its dotted name, from the outermost package folder on; without packages, from the folder swept.
        is_package: it is the ``__init__`` of a package.
        in_package: it lies in one.

    """

    path: str
    module: str
    is_package: bool
    in_package: bool
    tree: ast.Module
    suppressions: Suppressions


@dataclass
class Loaded:
    """The files that were parsed, those that could not be, and how many tests were left out."""

    sources: list[Source] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    tests: int = 0


def load(paths: Iterable[str | os.PathLike[str]]) -> Loaded:
    """Parse every Python file below ``paths`` that is not a test; name what could not be parsed."""
    loaded = Loaded()
    seen: set[Path] = set()
    names: set[str] = set()
    for root in map(Path, paths):
        for path in sorted(_files(root, loaded)):
            try:
                real = path.resolve()
                if real in seen:
                    continue
                seen.add(real)
                source = _parse(path, root if root.is_dir() else root.parent, names)
                names.add(source.module)
                loaded.sources.append(source)
            except FileNotFoundError:
                loaded.unchecked.append(Unchecked(_shown(path), "no such file or folder"))
            except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
                loaded.unchecked.append(Unchecked(_shown(path), _reason(error)))
    return loaded


def is_test(path: Path) -> bool:
    """Whether a file is a test: its faults leak nothing."""
    return bool(TEST_FILE.match(path.name)) or bool(TEST_FOLDERS.intersection(path.parts[:-1]))


def _files(root: Path, loaded: Loaded) -> Iterator[Path]:
    if not root.is_dir():
        if TEST_FILE.match(root.name) and root.exists():
            loaded.tests += 1
        else:
            yield root
        return

    def refused(error: OSError) -> None:
        loaded.unchecked.append(Unchecked(_shown(Path(error.filename or root)), _reason(error)))

    for folder, folders, names in os.walk(root, onerror=refused):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        for name in names:
            if name.endswith(".py"):
                found = Path(folder, name)
                # Judged below the path asked for: a project may itself live in a folder called "test".
                if is_test(found.relative_to(root)):
                    loaded.tests += 1
                else:
                    yield found


def _parse(path: Path, root: Path, taken: set[str]) -> Source:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    raw = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the swept code's own syntax warnings
        tree = ast.parse(raw, filename=str(path))
    name = module_name(path, root)
    while name in taken:  # two scripts of one name: each is a module of its own
        name += "'"
    in_package = (path.parent / "__init__.py").exists()
    return Source(_shown(path), name, path.name == "__init__.py", in_package, tree, suppressions_of(raw, tree))


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name of a file: of its packages, or where there are none of its folders below ``root``."""
    path = path.resolve()
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    if (folder / "__init__.py").exists():
        while (folder / "__init__.py").exists():
            parts.insert(0, folder.name)
            folder = folder.parent
    elif folder.is_relative_to(root.resolve()):
        parts = [*folder.relative_to(root.resolve()).parts, *parts]
        parts = parts[1:] if parts[0] == "src" and len(parts) > 1 else parts
    return ".".join(parts) or path.stem


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"does not parse: {error.msg} (line {error.lineno})"
    if isinstance(error, RecursionError | MemoryError):
        return "does not parse: nested too deeply"
    return f"cannot be read: {error or type(error).__name__}"
