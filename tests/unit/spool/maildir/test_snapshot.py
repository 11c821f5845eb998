from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.maildir.directories import Found, MessageDirectories, Part, Place
from spool.maildir.size_index import SizeIndex
from spool.unique_id_book import is_unique_id
from spool.unique_ids import UniqueIdFile
from tests.unit.spool.maildir.maildirs import Maildir


@pytest.fixture
def maildir(tmp_path: Path) -> Iterator[Maildir]:
    maildir = Maildir(tmp_path)
    yield maildir
    maildir.directories.close()


def test_messages_are_in_the_order_of_their_delivery(maildir: Maildir) -> None:
    maildir.add("new/30.M9P1.host")
    maildir.add("cur/30.M10P1.host:2,S")
    maildir.add("cur/7.x.host:2,")
    maildir.add("new/foreign", mtime=20)
    maildir.add("cur/foreign-too:2,", mtime=20.5)
    maildir.add("cur/b.host", mtime=7)
    assert maildir.snapshot().bases == [
        "7.x.host",
        "b.host",
        "foreign",
        "foreign-too",
        "30.M9P1.host",
        "30.M10P1.host",
    ]


def test_sizes_in_names_are_taken_without_looking_at_the_files(
    maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir.add("new/1.x.host,S=2,W=3")

    def refuse(*arguments: object, **names: object) -> None:
        raise AssertionError("looked at a file")

    monkeypatch.setattr(MessageDirectories, "stat", refuse)
    monkeypatch.setattr(MessageDirectories, "open_file", refuse)
    assert list(maildir.snapshot().wire_octets) == [3]
    assert not maildir.location.state.exists()


def test_other_sizes_are_counted_once(maildir: Maildir, monkeypatch: pytest.MonkeyPatch) -> None:
    maildir.add("new/1.x.host", b"a\nb\r\nc")
    maildir.add("new/2.x.host", b"")
    assert list(maildir.snapshot().wire_octets) == [9, 0]

    def refuse(*arguments: object, **names: object) -> None:
        raise AssertionError("read a file")

    monkeypatch.setattr(MessageDirectories, "open_file", refuse)
    assert list(maildir.snapshot().wire_octets) == [9, 0]


def test_a_corrected_size_counts_before_that_in_the_name(maildir: Maildir) -> None:
    maildir.add("new/1.x.host,W=4", b"ab\n")
    index = SizeIndex(maildir.location)
    index.remember("1.x.host,W=4", 77)
    index.save(["1.x.host,W=4"])
    assert list(maildir.snapshot().wire_octets) == [77]


@pytest.mark.parametrize("name", ["foreign", "1.x.host"])
def test_a_message_that_vanishes_meanwhile_is_left_out(
    maildir: Maildir, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir.add("new/2.x.host")
    places = {name: Place(Part.NEW, ""), "2.x.host": Place(Part.NEW, "")}
    monkeypatch.setattr(MessageDirectories, "scan", lambda self: Found(places, []))
    snapshot = maildir.snapshot()
    assert snapshot.unique_ids == ["2.x.host"]
    assert snapshot.bases == ["2.x.host"]


@pytest.mark.parametrize("error_number", [errno.EACCES, errno.EIO])
def test_a_message_that_cannot_be_read_does_not_hide_the_others(
    maildir: Maildir, error_number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir.add("new/1.x.host", b"a\n")
    maildir.add("new/2.x.host,W=3", b"a\n")

    def refuse(self: MessageDirectories, base: str, place: Place) -> int:
        raise OSError(error_number, os.strerror(error_number))

    with monkeypatch.context() as patched:
        patched.setattr(MessageDirectories, "open_file", refuse)
        assert list(maildir.snapshot().wire_octets) == [2, 3]
    assert list(maildir.snapshot().wire_octets) == [3, 3]


def test_trouble_that_is_everybodys_is_not_taken_for_one_messages(
    maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir.add("new/1.x.host", b"a\n")

    def refuse(self: MessageDirectories, base: str, place: Place) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(MessageDirectories, "open_file", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        maildir.snapshot()


def test_unique_ids_are_bases_unless_imported(maildir: Maildir) -> None:
    maildir.add("cur/1.x.host:2,S")
    maildir.add("cur/2.x.host:2,S")
    UniqueIdFile(maildir.location).import_ids({"2.x.host": ["old"]})
    assert maildir.snapshot().unique_ids == ["1.x.host", "old"]


def test_a_name_of_any_octets_is_a_message_with_a_printable_unique_id(maildir: Maildir) -> None:
    names = [b"1.a b", b"2.\xff\xe9", b"3.two\nlines", b"4.%s{0}", b"5." + b"x" * 200]
    for name in names:
        Path(os.fsdecode(bytes(maildir.location.path) + b"/new/" + name)).write_bytes(b"x\n")
    for _ in range(2):
        snapshot = maildir.snapshot()
        assert [os.fsencode(base) for base in snapshot.bases] == names
        assert all(map(is_unique_id, snapshot.unique_ids))
        assert list(snapshot.wire_octets) == [3] * 5
        for base, place in zip(snapshot.bases, snapshot.places, strict=True):
            os.close(maildir.directories.open_file(base, place))


def test_the_last_seen_message_is_the_last_with_the_flag(maildir: Maildir) -> None:
    assert maildir.snapshot().last_seen == 0
    maildir.add("cur/1.x.host:2,S")
    maildir.add("cur/2.x.host:2,RS")
    maildir.add("cur/3.x.host:2,")
    assert maildir.snapshot().last_seen == 2


def test_memory_is_told_about_right(maildir: Maildir) -> None:
    for number in range(500):
        maildir.add(f"new/1732424{number:03}.M512330P4711Q3R9f8a6b5c.mx1,S=1432,W=1467")
    maildir.snapshot_again()
    tracemalloc.start()
    try:
        snapshot = maildir.snapshot()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken * 0.7 < snapshot.octets < taken * 1.5
    assert snapshot.octets / len(snapshot.bases) < 150


def test_imported_ids_are_counted_as_memory(maildir: Maildir) -> None:
    maildir.add("new/1.x.host,W=3")
    before = maildir.snapshot().octets
    UniqueIdFile(maildir.location).import_ids({"1.x.host,W=3": ["old"]})
    assert maildir.snapshot().octets > before
