"""Tests of ``spool.system_calls``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spool import system_calls


def test_two_names_are_exchanged_whatever_they_are(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    system_calls.exchange(tmp_path / "home", tmp_path / "link")
    assert (tmp_path / "link").is_dir()
    assert (tmp_path / "home").readlink() == Path("elsewhere")


def test_a_name_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        system_calls.exchange(tmp_path / "one", tmp_path / "other")


def test_a_file_system_is_synced(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    system_calls.sync_file_system(descriptor)
    os.close(descriptor)


def test_a_library_without_the_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls, "_libc", object())
    with pytest.raises(OSError, match="renameat2") as caught:
        system_calls.exchange(tmp_path, tmp_path)
    assert caught.value.errno == errno.ENOSYS
