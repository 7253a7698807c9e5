"""What `interlock demo` says where it cannot run: one line, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.cli import main


def test_without_a_server_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    assert main(["demo", "--only", "dedup"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "PG_BIN" in line


def test_a_server_that_cannot_be_created_is_quoted_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    for program in ("initdb", "postgres", "pg_ctl"):
        script = tmp_path / program
        script.write_text("#!/bin/sh\necho starting\necho 'FATAL:  No space left on device'\nexit 1\n")
        script.chmod(0o755)
    for folder in tmp_path.parents:
        if not folder.stat().st_mode & 0o011:
            folder.chmod(0o755)  # as root the server runs as an unprivileged user
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert main(["demo", "--only", "dedup"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "No space left" in line
    assert "TMPDIR" in line
