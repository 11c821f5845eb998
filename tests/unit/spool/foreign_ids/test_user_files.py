"""Tests of spool.foreign_ids.user_files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids import user_files
from spool.foreign_ids.user_files import ListFile, read_list, read_secrets


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    path.chmod(0o600)
    return path


def test_a_file_is_read(file: Path) -> None:
    assert read_list(file) == ListFile(file, b"text")
    assert read_secrets(file) == b"text"


def test_links_and_devices_and_missing_files_are_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "missing", "."):
        with pytest.raises(ForeignIdsError, match=name):
            read_list(tmp_path / name)


def test_a_file_that_is_too_large_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_files, "FILE_OCTETS_MAX", 3)
    with pytest.raises(ForeignIdsError, match="4 octets, more than 3"):
        read_list(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_secrets_that_others_may_read_are_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ForeignIdsError, match=f"found {mode:04o}"):
        read_secrets(file)


def test_secrets_of_somebody_else_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ForeignIdsError, match="expected mode 0600 and owner"):
        read_secrets(file)


def test_a_file_that_cannot_be_read_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, secret: bool) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(user_files, "_check", fail)
    with pytest.raises(ForeignIdsError, match="Input/output error"):
        read_list(file)
