from __future__ import annotations

import os
from pathlib import Path

import pytest

from accounts import watched_file
from accounts.watched_file import PRIVATE, TRUSTED, WatchedFile
from spool.errors import SettingsError


class Parser:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _path: Path, octets: bytes) -> bytes:
        self.calls += 1
        return octets.upper()


def make(path: Path, content: bytes = b"one", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_is_parsed_once_while_it_stays_the_same(tmp_path: Path) -> None:
    parser = Parser()
    watched = WatchedFile(make(tmp_path / "f"), parser, forbidden_mode=PRIVATE)
    before = parser.calls
    assert [watched.content(), watched.content()] == [b"ONE", b"ONE"]
    assert parser.calls == before + 1


def test_a_changed_and_a_replaced_file_are_read_again(tmp_path: Path) -> None:
    watched = WatchedFile(make(tmp_path / "f"), Parser(), forbidden_mode=PRIVATE)
    watched.content()
    make(tmp_path / "f", b"longer")
    assert watched.content() == b"LONGER"
    make(tmp_path / "g", b"other!").rename(tmp_path / "f")
    assert watched.content() == b"OTHER!"


def test_a_missing_file_is_like_an_empty_one(tmp_path: Path) -> None:
    watched = WatchedFile(tmp_path / "f", Parser(), forbidden_mode=PRIVATE)
    assert watched.content() == b""
    make(tmp_path / "f")
    assert watched.content() == b"ONE"
    (tmp_path / "f").unlink()
    assert watched.content() == b""


@pytest.mark.parametrize(
    ("mode", "forbidden", "expected"), [(0o640, PRIVATE, "0600"), (0o604, PRIVATE, "0600"), (0o664, TRUSTED, "0644")]
)
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int, forbidden: int, expected: str) -> None:
    watched = WatchedFile(make(tmp_path / "f", mode=mode), Parser(), forbidden_mode=forbidden)
    with pytest.raises(SettingsError, match=rf"f: expected mode {expected} or less, found {mode:04o}"):
        watched.content()


def test_a_file_that_is_opened_to_others_is_refused_from_then_on(tmp_path: Path) -> None:
    watched = WatchedFile(make(tmp_path / "f"), Parser(), forbidden_mode=PRIVATE)
    watched.content()
    (tmp_path / "f").chmod(0o644)
    with pytest.raises(SettingsError, match="mode"):
        watched.content()


def test_a_directory_or_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SettingsError):
            WatchedFile(path, Parser(), forbidden_mode=0).content()


def test_a_file_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_file, "MAX_FILE_OCTETS", 2)
    with pytest.raises(SettingsError, match="at most 2 octets, found 3"):
        WatchedFile(make(tmp_path / "f"), Parser(), forbidden_mode=PRIVATE).content()


def test_a_path_that_cannot_be_reached_is_an_error_and_not_an_empty_file(tmp_path: Path) -> None:
    make(tmp_path / "f")
    with pytest.raises(SettingsError, match="Not a directory"):
        WatchedFile(tmp_path / "f" / "g", Parser(), forbidden_mode=PRIVATE).content()
