from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from spool.mailbox import MailboxLocation
from spool.maildir.size_index import SizeIndex
from tests.mailbox_locations import location_in


@pytest.fixture
def location(tmp_path: Path) -> MailboxLocation:
    return location_in(tmp_path)


def path_of(location: MailboxLocation) -> Path:
    return location.state / "maildir.sizes"


def found(index: SizeIndex, *keys: str) -> list[str]:
    return index.corrected(keys, ["" for _ in keys])


def test_a_remembered_size_is_found_by_a_later_session(location: MailboxLocation) -> None:
    index = SizeIndex(location)
    index.remember("a", 3)
    index.save(["a"])
    later = SizeIndex(location)
    assert found(later, "a", "b") == ["3", ""]
    assert path_of(location).read_bytes() == b"\na 3 .\n"
    assert path_of(location).stat().st_mode & 0o777 == 0o600


def test_a_remembered_size_counts_before_what_is_given(location: MailboxLocation) -> None:
    index = SizeIndex(location)
    assert index.corrected(["a", "b"], ["7", "8"]) == ["7", "8"]
    index.remember("a", 3)
    assert index.corrected(["a", "b"], ["7", "8"]) == ["3", "8"]


def test_the_latest_line_counts(location: MailboxLocation) -> None:
    for octets in (3, 4):
        index = SizeIndex(location)
        index.remember("a", octets)
        index.save(["a"])
        index.save(["a"])
    assert found(SizeIndex(location), "a") == ["4"]
    assert path_of(location).read_bytes().count(b"a") == 2


def test_nothing_to_remember_makes_no_file(location: MailboxLocation) -> None:
    SizeIndex(location).save([])
    assert not location.state.exists()


def test_an_index_mostly_about_removed_messages_is_written_anew(location: MailboxLocation) -> None:
    for batch in range(3):
        index = SizeIndex(location)
        for number in range(500):
            index.remember(f"{batch}.{number}", 3)
        index.save(["2.7"])
    assert path_of(location).read_bytes() == b"2.7 3 .\n"


@pytest.mark.parametrize(
    "garbage",
    [
        b"a 2",
        b"a 2\n",
        b"a 2 5 9 .\n",
        b"a 99999999999999999 .\n",
        b"\xff\xfe\0" * 50,
        b"a five .\n",
        b"\xe9 5 .\n",
        b"a" * 71 + b" 9 .\n",
    ],
)
def test_garbage_is_passed_over_and_does_not_spoil_what_follows(location: MailboxLocation, garbage: bytes) -> None:
    location.state.mkdir()
    path_of(location).write_bytes(garbage)
    index = SizeIndex(location)
    assert found(index, "a", "\xe9") == ["", ""]
    index.remember("a", 3)
    index.save(["a"])
    assert found(SizeIndex(location), "a") == ["3"]


def test_random_octets_are_no_sizes(location: MailboxLocation) -> None:
    location.state.mkdir()
    path_of(location).write_bytes(random.Random(1).randbytes(10_000))
    assert found(SizeIndex(location), "a") == [""]


@pytest.mark.parametrize("planted", ["link", "directory", "fifo"])
def test_a_file_that_cannot_be_used_is_done_without(location: MailboxLocation, planted: str, tmp_path: Path) -> None:
    location.state.mkdir()
    match planted:
        case "link":
            path_of(location).symlink_to(tmp_path / "elsewhere")
        case "directory":
            path_of(location).mkdir()
        case _:
            os.mkfifo(path_of(location))
    index = SizeIndex(location)
    index.remember("a", 3)
    index.save(["a"])
    assert found(index, "a") == ["3"]
    assert not (tmp_path / "elsewhere").exists()
