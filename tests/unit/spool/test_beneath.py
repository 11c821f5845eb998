"""Tests of ``spool.beneath``."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.beneath import open_beneath


@pytest.fixture
def home(tmp_path: Path) -> Iterator[int]:
    """An open home with a file, a directory, and links; beside it a secret."""
    (tmp_path / "secret").write_text("secret")
    directory = tmp_path / "home"
    (directory / "lists").mkdir(parents=True)
    (directory / "lists" / "editor").write_text("a@b")
    (directory / "within").symlink_to("lists/editor")
    (directory / "out").symlink_to("../secret")
    (directory / "absolute").symlink_to(tmp_path / "secret")
    (directory / "magic").symlink_to("/proc/self/cwd")
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("path", ["lists/editor", "within", "lists/../within"])
def test_what_stays_below_is_opened(home: int, path: str) -> None:
    descriptor = open_beneath(home, path, os.O_RDONLY)
    assert os.read(descriptor, 10) == b"a@b"
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("path", ["out", "absolute", "magic", "../secret", "/etc/passwd"])
def test_what_leads_out_is_not(home: int, path: str) -> None:
    with pytest.raises(OSError, match=path) as trouble:
        open_beneath(home, path, os.O_RDONLY)
    assert trouble.value.errno in {errno.EXDEV, errno.ELOOP}


def test_what_is_missing_is_missing(home: int) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(home, "missing", os.O_RDONLY)
