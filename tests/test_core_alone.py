"""The core needs no other package: one call of each system, where none can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import interlock


def test_it_works_without_any_other_package() -> None:
    smoke = Path(__file__).with_name("wheel_smoke.py")
    package = str(Path(interlock.__file__).resolve().parents[1])
    # -S: no site-packages, so that of what is installed only the package itself is found.
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", smoke],
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
