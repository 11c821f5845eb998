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


def status_of_file(location: MailboxLocation, content: bytes = b"x\n", mtime_ns: int = 5) -> os.stat_result:
    path = location.home / "message"
    path.write_bytes(content)
    os.utime(path, ns=(0, mtime_ns))
    return path.stat()


def test_a_remembered_size_is_found_by_a_later_session(location: MailboxLocation) -> None:
    status = status_of_file(location)
    index = SizeIndex(location)
    index.remember("a", status, 3)
    index.save(["a"])
    found = SizeIndex(location)
    assert "a" in found
    assert found.find("a", status) == 3
    assert "b" not in found
    assert found.find("b", status) is None


def test_a_size_is_not_believed_of_a_file_that_was_changed(location: MailboxLocation) -> None:
    index = SizeIndex(location)
    index.remember("a", status_of_file(location), 3)
    assert index.find("a", status_of_file(location, b"xy\n")) is None
    assert index.find("a", status_of_file(location, mtime_ns=6)) is None


def test_the_latest_line_counts(location: MailboxLocation) -> None:
    status = status_of_file(location)
    for octets in (3, 4):
        index = SizeIndex(location)
        index.remember("a", status, octets)
        index.save(["a"])
        index.save(["a"])
    assert SizeIndex(location).find("a", status) == 4
    assert path_of(location).read_bytes().count(b"a") == 2


def test_nothing_to_remember_makes_no_file(location: MailboxLocation) -> None:
    SizeIndex(location).save([])
    assert not location.state.exists()


def test_an_index_mostly_about_removed_messages_is_written_anew(location: MailboxLocation) -> None:
    status = status_of_file(location)
    for batch in range(3):
        index = SizeIndex(location)
        for number in range(500):
            index.remember(f"{batch}.{number}", status, 3)
        index.save(["2.7"])
    assert path_of(location).read_bytes().count(b"\n") == 1
    assert SizeIndex(location).find("2.7", status) == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"a 2 5 9",
        b"a 2 5 9\n",
        b"a 2 5 99999999999999999 .\n",
        b"\xff\xfe\0" * 50,
        b"a 2 five 9 .\n",
        b"a" * 71 + b" 2 5 9 .\n",
    ],
)
def test_garbage_is_passed_over_and_does_not_spoil_what_follows(location: MailboxLocation, garbage: bytes) -> None:
    location.state.mkdir()
    path_of(location).write_bytes(garbage)
    status = status_of_file(location)
    index = SizeIndex(location)
    assert index.find("a", status) is None
    index.remember("a", status, 3)
    index.save(["a"])
    assert SizeIndex(location).find("a", status) == 3


def test_random_octets_are_no_sizes(location: MailboxLocation) -> None:
    location.state.mkdir()
    path_of(location).write_bytes(random.Random(1).randbytes(10_000))
    assert "a" not in SizeIndex(location)


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
    index.remember("a", status_of_file(location), 3)
    index.save(["a"])
    assert index.find("a", status_of_file(location)) == 3
    assert not (tmp_path / "elsewhere").exists()
