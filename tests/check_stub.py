"""Checks that ``_native.pyi`` is what the extension is: generated, committed, and true at run time.

``--write`` generates it again. It is never edited by hand.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "python" / "interlock" / "_native.pyi"
HEADER = "# Generated from the Rust sources by `make stubs`; do not edit.\n"


def generated() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "maturin", "generate-stubs", "--quiet", "--profile", "release", "--out", folder]
        built = subprocess.run(
            [sys.executable, *command, "--interpreter", sys.executable],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if built.returncode:
            raise SystemExit(built.stdout)
        stub = next(Path(folder).rglob("*.pyi"))
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", str(stub)], check=True)
        return HEADER + stub.read_text(encoding="utf-8")


def main() -> int:
    text = generated()
    if "--write" in sys.argv:
        STUB.write_text(text, encoding="utf-8")
        return 0
    if not STUB.exists() or STUB.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{STUB.relative_to(ROOT)} is not what the sources say: run `make stubs` and commit it\n")
        return 1
    command = ["-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml", "--ignore-disjoint-bases"]
    # A native __getattr__ is a slot of the type, which has no attribute of that name.
    command += ["--allowlist", str(ROOT / "tests" / "stub_allowlist.txt")]
    return subprocess.run([sys.executable, *command, "interlock._native"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
