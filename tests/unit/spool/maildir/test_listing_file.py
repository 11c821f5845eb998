from __future__ import annotations

import os
import zlib
from array import array
from pathlib import Path

import pytest

from spool.mailbox import MailboxLocation
from spool.maildir.directories import Part, Place
from spool.maildir.listing_file import MESSAGES_MIN, ListingFile
from spool.maildir.snapshot import MaildirSnapshot, Stamps
from spool.stamps import Stamp
from tests.mailbox_locations import location_in

STAMPS = Stamps(Stamp(1, 2, 3, 4, 5), Stamp(1, 6, 3, 4, 5), None, Stamp(1, 7, 3, 4, 5))


@pytest.fixture
def location(tmp_path: Path) -> MailboxLocation:
    return location_in(tmp_path)


def path_of(location: MailboxLocation) -> Path:
    return location.state / "maildir.listing"


def snapshot(messages: int = MESSAGES_MIN, places: tuple[Place, ...] = (Place(Part.NEW, ""),)) -> MaildirSnapshot:
    bases = [f"{1732424000 + number}.x.host" for number in range(messages)]
    return MaildirSnapshot(
        stamps=STAMPS,
        bases=bases,
        places=[places[number % len(places)] for number in range(messages)],
        wire_octets=array("Q", [2**40 + number for number in range(messages)]),
        unique_ids=bases,
        last_seen=7,
        complete=True,
    )


def test_what_was_saved_is_loaded_while_the_stamps_are_the_same(location: MailboxLocation) -> None:
    saved = snapshot(places=(Place(Part.NEW, ""), Place(Part.CUR, ":2,S"), Place(Part.CUR, ":2,\udcff")))
    ListingFile(location).save(saved)
    loaded = ListingFile(location).load(STAMPS)
    assert loaded == saved
    assert loaded.unique_ids is loaded.bases
    assert path_of(location).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["new", "cur", "unique_ids", "sizes"])
def test_no_stamp_may_differ(location: MailboxLocation, part: str) -> None:
    ListingFile(location).save(snapshot())
    assert ListingFile(location).load(STAMPS._replace(**{part: Stamp(9, 9, 9, 9, 9)})) is None


def test_what_the_file_is_not_for_is_not_saved(location: MailboxLocation) -> None:
    many = tuple(Place(Part.CUR, f":2,{number}") for number in range(257))
    small, scattered, imported = snapshot(MESSAGES_MIN - 1), snapshot(places=many), snapshot()
    object.__setattr__(imported, "unique_ids", list(imported.bases))
    for each in (small, scattered, imported):
        ListingFile(location).save(each)
    assert not location.state.exists()


@pytest.mark.parametrize("octets", [0, 1, 100, 250, 1000, -1])
def test_a_torn_file_is_passed_over(location: MailboxLocation, octets: int) -> None:
    ListingFile(location).save(snapshot())
    whole = path_of(location).read_bytes()
    path_of(location).write_bytes(whole[:octets])
    assert ListingFile(location).load(STAMPS) is None
    path_of(location).write_bytes(whole[:octets] + bytes(len(whole[octets:])))
    assert ListingFile(location).load(STAMPS) is None


@pytest.mark.parametrize(
    "rest",
    [
        b"no json\n",
        b"[]\n",
        b"{}\n",
        b'{"messages": 2, "last_seen": 0, "places": [["new", ""]]}\n' + bytes(18) + b"one",
        b'{"messages": 1, "last_seen": 0, "places": [["old", ""]]}\n' + bytes(9) + b"one",
        b'{"messages": 1, "last_seen": 0, "places": []}\n' + bytes(9) + b"one",
        b'{"messages": "1", "last_seen": 0, "places": []}\n' + bytes(9) + b"one",
    ],
)
def test_a_file_that_somebody_made_up_is_passed_over(location: MailboxLocation, rest: bytes) -> None:
    ListingFile(location).save(snapshot())
    first_line = path_of(location).read_bytes().partition(b"\n")[0]
    path_of(location).write_bytes(b"%b\n%d\n%b" % (first_line, zlib.crc32(rest), rest))
    assert ListingFile(location).load(STAMPS) is None


@pytest.mark.parametrize("planted", ["nothing", "link", "directory", "fifo"])
def test_a_file_that_cannot_be_used_is_done_without(location: MailboxLocation, planted: str, tmp_path: Path) -> None:
    ListingFile(location).save(snapshot())
    path_of(location).rename(tmp_path / "elsewhere")
    match planted:
        case "link":
            path_of(location).symlink_to(tmp_path / "elsewhere")
        case "directory":
            path_of(location).mkdir()
        case "fifo":
            os.mkfifo(path_of(location))
        case _:
            pass
    assert ListingFile(location).load(STAMPS) is None


def test_a_file_that_cannot_be_written_is_done_without(location: MailboxLocation) -> None:
    location.state.write_bytes(b"in the way")
    ListingFile(location).save(snapshot())
    assert ListingFile(location).load(STAMPS) is None
