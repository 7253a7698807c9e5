"""Every ``python`` block of the documentation runs, in order, as a reader would type it.

A block may await. Names it finds defined: ``tenant_dsn``, ``admin_dsn`` and ``owner_dsn`` of a migrated database.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import interlock
from interlock.testing import EmbeddedPostgres
from interlock.testing.roles import Roles

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Importing these needs a program around them: pytest, or the command line.
NOT_IMPORTED = {"interlock.testing.plugin"}


def blocks(page: Path) -> list[tuple[int, str]]:
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in BLOCK.finditer(text)]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
async def test_page(
    page: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": f"docs_{page.stem}"}
    if re.search(r"\b(tenant|admin|owner)_dsn\b", page.read_text(encoding="utf-8")):
        server: EmbeddedPostgres = request.getfixturevalue("postgres_cluster")
        database: str = request.getfixturevalue("database")
        roles = Roles()
        namespace |= {
            "tenant_dsn": server.dsn(roles.app, database),
            "admin_dsn": server.dsn(roles.admin, database),
            "owner_dsn": server.dsn(roles.owner, database),
        }
    for line, source in blocks(page):
        code = compile(
            "\n" * line + source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )
        result = eval(code, namespace)
        if inspect.isawaitable(result):
            await result


def modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(interlock.__path__, "interlock.")]
    return [name for name in names if name not in NOT_IMPORTED and not name.endswith("_native")]


@pytest.mark.parametrize("name", modules())
def test_docstrings(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def test_every_link_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert links
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
