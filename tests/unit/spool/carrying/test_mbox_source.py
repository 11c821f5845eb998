"""Tests of ``spool.carrying.mbox_source``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from spool.carrying.mbox_source import MboxPlace, MboxSource
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.kernel_locks import LockKind, try_lock

ONE, TWO, THREE = (
    b"From a@example.org Thu Jan  1 00:00:%02d 2015\nSubject: %d\n\n\n" % (number, number) for number in (1, 2, 3)
)


@pytest.fixture
def place(tmp_path: Path) -> MboxPlace:
    (tmp_path / "mbox").write_bytes(ONE + TWO + ONE + THREE)
    return MboxPlace(
        path=tmp_path / "mbox",
        uid=os.getuid(),
        locks=("fcntl", "flock", "dotlock"),
        lock_seconds=0.01,
        stale_seconds=300,
        unquote=True,
        journal=tmp_path / "journal",
    )


def taken(source: MboxSource) -> list[str]:
    with source.locked() as opened:
        return list(opened.find().taken)


def remove(source: MboxSource, identities: list[str]) -> bytes:
    with source.locked() as opened:
        opened.remove(identities)
    return source.place.path.read_bytes()


def test_messages_can_be_read_when_the_locks_are_released(place: MboxPlace) -> None:
    source = MboxSource(place)
    with source.locked() as opened:
        assert place.path.with_name("mbox.lock").exists()
        found = opened.find()
        assert len(opened.records()) == len(found.messages) == len(found.taken) == 4
    assert not place.path.with_name("mbox.lock").exists()
    assert b"".join(found.messages[0].pieces()) == b"Subject: 1\n\n"
    source.close()
    source.close()


def test_ids_of_another_server_go_with_the_messages(place: MboxPlace) -> None:
    source = MboxSource(replace(place, find_ids=lambda _mbox: ["a", None, "b", "c"]))
    with source.locked() as opened:
        assert [message.unique_id for message in opened.find().messages] == ["a", None, "b", "c"]
    source.close()


def test_the_remainder_is_what_is_no_mail_at_the_end(place: MboxPlace) -> None:
    source = MboxSource(place)
    for octets in (b"", b"From a", b"\0\0\0"):
        place.path.write_bytes(ONE + octets)
        with source.locked() as opened:
            assert opened.remainder() == len(octets)
    place.path.unlink()
    with source.locked() as opened:
        assert opened.remainder() == 0
    source.close()


def test_messages_are_removed_once_for_each_time_they_are_given(place: MboxPlace) -> None:
    source = MboxSource(place)
    one, two, _, three = taken(source)
    assert remove(source, [one, two]) == ONE + THREE
    assert remove(source, [one, one, "none"]) == THREE
    assert remove(source, [one]) == THREE
    assert remove(source, [three]) == b""
    source.close()


def test_what_lies_before_an_offset_or_behind_all_mail_stays(place: MboxPlace) -> None:
    place.path.write_bytes(ONE + TWO + b"\0\0")
    source = MboxSource(replace(place, first=len(ONE)))
    assert len(taken(source)) == 1
    assert remove(source, taken(source)) == ONE + b"\0\0"
    source.close()


def test_a_missing_mbox_is_empty(place: MboxPlace) -> None:
    place.path.unlink()
    source = MboxSource(place)
    with source.locked() as opened:
        assert (opened.records(), opened.find().taken) == ((), ())
        opened.remove(["x"])
    assert not place.path.exists()


def test_an_mbox_that_another_program_holds_is_busy(place: MboxPlace) -> None:
    descriptor = os.open(place.path, os.O_RDWR)
    assert try_lock(descriptor, LockKind.FLOCK)
    with pytest.raises(MailboxBusyError):
        taken(MboxSource(place))
    os.close(descriptor)


@pytest.mark.parametrize("spoil", ["hard link", "mode", "link", "directory", "owner", "no mbox"])
def test_what_may_be_somebody_else_s_is_left_alone(place: MboxPlace, spoil: str) -> None:
    path = place.path
    match spoil:
        case "hard link":
            path.with_name("second").hardlink_to(path)
        case "mode":
            path.chmod(0o666)
        case "link":
            path.rename(path.with_name("target"))
            path.symlink_to("target")
        case "directory":
            path.unlink()
            path.mkdir()
        case "owner":
            place = replace(place, uid=place.uid + 1)
        case _:
            path.write_bytes(b"no mbox\n")
    with pytest.raises(MailboxUnavailableError):
        taken(MboxSource(place))
