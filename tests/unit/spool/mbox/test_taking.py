import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spool.mbox.blocks import BlockReader
from spool.mbox.scanning import ScanningProcesses
from spool.mbox.snapshot import Snapshot
from spool.mbox.table import MessageTable
from spool.mbox.taking import still_holds, take_snapshot
from tests.unit.spool.mbox.mbox_files import FROM, anything, lines, mbox_of, messages, opened

A, B, C = b"Subject: a\n\na\n", b"Subject: b\n\nb\n", b"Subject: c\n\nc\n"
INTERNAL = b"Subject: FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nThis text\n"


class Watched(ScanningProcesses):
    """Reads here, and tells from where on."""

    def __init__(self) -> None:
        super().__init__()
        self.read_from: int | None = None

    def read(self, reader: BlockReader, start: int, limit: int, *, unquote: bool) -> MessageTable:
        self.read_from = start
        return super().read(reader, start, limit, unquote=unquote)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mbox"
    path.write_bytes(mbox_of(A, B))
    return path


def taken(path: Path, known: Snapshot | None = None, *, unquote: bool = True) -> tuple[Snapshot, int | None]:
    """A snapshot, and from where on messages were read for it."""
    watched = Watched()
    with opened(path) as mbox:
        return take_snapshot(mbox, unquote=unquote, known=known, processes=watched), watched.read_from


def append(path: Path, octets: bytes) -> None:
    with path.open("ab") as file:
        file.write(octets)


def looks_the_same(one: Snapshot, other: Snapshot) -> bool:
    return one == replace(other, read_from=one.read_from)


def test_nothing_is_read_of_a_file_that_is_unchanged(path: Path) -> None:
    known, _ = taken(path)
    again, read_from = taken(path, known)
    assert again is known
    assert read_from is None


def test_the_number_of_the_device_may_be_another_one_after_a_start_of_the_machine(path: Path) -> None:
    known, _ = taken(path)
    elsewhere = replace(known, stamp=known.stamp._replace(device=known.stamp.device + 1))
    again, read_from = taken(path, elsewhere)
    assert looks_the_same(again, known)
    assert read_from is None


def test_of_a_file_that_has_grown_only_what_is_new_is_read(path: Path) -> None:
    known, _ = taken(path)
    append(path, mbox_of(C))
    again, read_from = taken(path, known)
    assert read_from == known.end == again.read_from
    assert looks_the_same(again, taken(path)[0])


@pytest.mark.parametrize("torn", [b"Subject: torn\n\nto", FROM + b"A: b\n", FROM[:-1]])
def test_a_last_message_that_may_go_on_is_read_again(path: Path, torn: bytes) -> None:
    append(path, torn)
    known, _ = taken(path)
    append(path, b" rest\n\n" + mbox_of(C))
    again, read_from = taken(path, known)
    assert read_from
    assert looks_the_same(again, taken(path)[0])


@pytest.mark.parametrize("content", [b"", FROM + b"A: b\n", mbox_of(INTERNAL)])
def test_a_file_of_no_message_that_stays_is_read_again(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    known, _ = taken(path)
    append(path, b"B: c\n" + mbox_of(C) if content.endswith(b"A: b\n") else mbox_of(C))
    again, _ = taken(path, known)
    assert looks_the_same(again, taken(path)[0])
    assert again.read_from == 0


def rewritten_in_place(path: Path) -> None:
    path.write_bytes(mbox_of(A, B.replace(b"b", b"x")))
    os.utime(path, ns=(0, 5))


def longer_in_front(path: Path) -> None:
    path.write_bytes(mbox_of(b"Status: RO\n" + A, B))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(mbox_of(A, B, C))
    other.rename(path)


def shorter(path: Path) -> None:
    os.truncate(path, len(mbox_of(A)))


def moved_messages(path: Path) -> None:
    # The end and the size before it are the same, but not where the second message begins.
    path.write_bytes(mbox_of(A[:-1] + b"aa\n", B[2:], C))


@pytest.mark.parametrize("change", [rewritten_in_place, longer_in_front, replaced, shorter, moved_messages])
def test_a_file_that_was_rewritten_is_read_from_its_beginning(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    if change is moved_messages:
        append(path, mbox_of(C)[:-1])
    os.utime(path, ns=(0, 5))
    known, _ = taken(path)
    change(path)
    again, read_from = taken(path, known)
    assert read_from == 0
    assert looks_the_same(again, taken(path)[0])


def test_a_rewrite_that_restores_size_and_time_is_noticed(path: Path) -> None:
    os.utime(path, ns=(0, 5))
    known, _ = taken(path)
    rewritten_in_place(path)
    assert path.stat().st_mtime_ns == known.stamp.mtime_ns
    assert taken(path, known)[1] == 0


def test_a_message_that_is_not_where_a_sample_is_taken_is_noticed(path: Path) -> None:
    path.write_bytes(mbox_of(A, B) + mbox_of(b"long\n" * 2000))
    known, _ = taken(path)
    path.write_bytes(mbox_of(A + b"more\n", B[5:]) + mbox_of(b"long\n" * 2000, C))
    assert path.read_bytes().startswith(path.read_bytes()[: known.end])
    assert taken(path, known)[1] == 0


def test_sizes_of_another_setting_are_not_taken_over(path: Path) -> None:
    path.write_bytes(mbox_of(A, B + b">From c\n"))
    known, _ = taken(path, unquote=True)
    assert list(taken(path, known, unquote=False)[0].wire_octets) != list(known.wire_octets)


def test_a_content_length_may_become_right_when_the_file_grows(path: Path) -> None:
    body = b"a\n\n" + mbox_of(B) + b"c\n"
    path.write_bytes(FROM + b"Content-Length: %d\n\n" % len(body) + body[:-10])
    known, _ = taken(path)
    assert len(known) == 2
    append(path, body[-10:] + b"\n" + mbox_of(C))
    again, _ = taken(path, known)
    assert looks_the_same(again, taken(path)[0])


def test_a_content_length_that_stays_wrong_costs_nothing(path: Path) -> None:
    path.write_bytes(mbox_of(b"Content-Length: 300\n\n" + A, B))
    known, _ = taken(path)
    append(path, mbox_of(C) * 20)
    again, read_from = taken(path, known)
    assert read_from == known.end
    assert looks_the_same(again, taken(path)[0])


@settings(max_examples=120)
@given(anything(), st.lists(st.one_of(messages(3), lines(6)), max_size=4))
def test_following_a_file_as_it_grows_gives_what_reading_all_of_it_gives(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "growing"
    path.write_bytes(mbox_of(A) + content)
    known, _ = taken(path)
    for piece in pieces:
        append(path, piece)
        known, _ = taken(path, known)
        assert looks_the_same(known, taken(path)[0])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), messages(2)), max_size=4))
def test_following_a_file_that_is_rewritten_gives_what_reading_all_of_it_gives(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "edited"
    mail = [mbox_of(b"Subject: %d\n\n%d\n" % (number, number)) for number in range(7)]
    path.write_bytes(b"".join(mail))
    known, _ = taken(path)
    for edit, (place, new) in enumerate(edits):
        mail[place] = new
        path.write_bytes(b"".join(mail))
        os.utime(path, ns=(0, edit))  # no two within one tick of the clock
        known, _ = taken(path, known)
        assert looks_the_same(known, taken(path)[0])


def test_what_was_known_still_holds_or_not(path: Path) -> None:
    known, _ = taken(path)
    append(path, mbox_of(C))
    with opened(path) as mbox:
        assert still_holds(known, mbox)
    longer_in_front(path)
    with opened(path) as mbox:
        assert not still_holds(known, mbox)
