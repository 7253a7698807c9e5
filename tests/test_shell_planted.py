"""A defect planted in the canonical shell turns a law red: the laws can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHELL = Path("src", "hashing", "shell")

# Each defect, the one place where it is planted, and a law that it breaks.
DEFECTS = {
    "the printer drops quotes": (
        SHELL / "printer.rs",
        "if needs_quotes {",
        "if needs_quotes && text.is_empty() {",
        "every_rendering_is_the_list",
    ),
    "a newline after alias is a semicolon": (
        SHELL / "lines.rs",
        '".", "alias", "builtin",',
        '".", "builtin",',
        "lines_are_joined_only_where_the_next_is_read_the_same",
    ),
    "an empty word is lost": (
        SHELL / "classify.rs",
        "(Atom::Null, _) => pieces.push(Piece::Literal(String::new())),",
        "(Atom::Null, _) => {}",
        "every_rendering_is_the_list",
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_turns_a_law_red(defect: str, tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("needs cargo")
    file, right, wrong, law = DEFECTS[defect]
    for name in ("Cargo.toml", "Cargo.lock", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", "tests", "benches"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name)
    source = (tmp_path / file).read_text(encoding="utf-8")
    assert source.count(right) == 1
    (tmp_path / file).write_text(source.replace(right, wrong), encoding="utf-8")
    done = subprocess.run(
        ["cargo", "test", "--no-default-features", "--test", "props_shell"],
        cwd=tmp_path,
        env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target"), "PROPTEST_FAILURE_PERSISTENCE": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"test {law} ... FAILED" in done.stdout, done.stderr
