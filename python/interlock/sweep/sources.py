"""Finds and parses the Python files below a path."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
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
    lines: tuple[str, ...] = ()  # only where they hold other than ASCII

    def column(self, line: int, offset: int) -> int:
        """The column, from 1 and in characters, of an offset as the parser gives it: from 0 and in UTF-8 bytes."""
        if 0 < line <= len(self.lines):
            return len(self.lines[line - 1].encode()[:offset].decode(errors="replace")) + 1
        return offset + 1


@dataclass
class Loaded:
    """The files that were parsed, those that could not be, and how many tests were left out."""

    sources: list[Source] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    tests: int = 0


def load(paths: Iterable[str | os.PathLike[str]]) -> Loaded:
    """Parse every Python file below ``paths`` that is not a test; name what could not be parsed."""
    loaded = Loaded()
    seen: set[str] = set()
    names: set[str] = set()
    for root in map(Path, paths):
        paths_below = sorted(_files(root, loaded))
        if not paths_below and not loaded.tests:
            loaded.unchecked.append(Unchecked(_shown(root), "holds no Python file"))
        for path in paths_below:
            try:
                real = os.path.realpath(path)
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
    is_package = path.name == "__init__.py"
    return Source(_shown(path), name, is_package, in_package, tree, suppressions_of(raw, tree), _lines(raw))


def _lines(raw: bytes) -> tuple[str, ...]:
    if raw.isascii():
        return ()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return tuple(re.split(r"\r\n|\r|\n", raw.decode(encoding)))


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name of a file: of its packages, or where there are none of its folders below ``root``."""
    path, root = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    if (folder / "__init__.py").exists():
        while (folder / "__init__.py").exists():
            parts.insert(0, folder.name)
            folder = folder.parent
    elif folder.is_relative_to(root):
        parts = [*folder.relative_to(root).parts, *parts]
        parts = parts[1:] if parts[0] == "src" and len(parts) > 1 else parts
    return ".".join(parts) or path.stem


def _shown(path: Path) -> str:
    try:
        return Path(os.path.realpath(path)).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"does not parse: {error.msg} (line {error.lineno})"
    if isinstance(error, RecursionError | MemoryError):
        return "does not parse: nested too deeply"
    return f"cannot be read: {error or type(error).__name__}"
