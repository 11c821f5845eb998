"""Tests of ``delivery.messages``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.headers import added_lines
from delivery.messages import Message, MessageInput, standard_input
from delivery.settings import AddedField

LINES = added_lines("joe@a.org", "s@x", 0)


def looped(header: bytes) -> bool:
    return Message.of([header + b"\n\nDelivered-To: joe@a.org\n"]).has_looped(LINES)


@pytest.mark.parametrize(
    "header",
    [
        b"Received: by x\nDelivered-To: joe@a.org",
        b"Received: by x\n\tfor joe\nDelivered-To: joe@a.org\nSubject: x",
        b"RECEIVED: by x\ndelivered-to: joe@a.org",
        b"Received: by x\r\nDelivered-To: joe@a.org\r",
    ],
)
def test_a_message_that_was_here_and_was_sent_on_has_looped(header: bytes) -> None:
    assert looped(header)


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: x",
        b"Received: by x\nDelivered-To: ann@a.org",
        b"Received: by x\nX-Delivered-To: joe@a.org",
        b"Delivered-To: joe@a.org\nReceived: by x",  # the mail transport's, for this delivery
        b"",
    ],
)
def test_other_messages_have_not(header: bytes) -> None:
    assert not looped(header)


def test_lines_that_the_mail_transport_has_added_are_not_added_again() -> None:
    plain = Message.of([b"Received: by x\nReturn-Path: <old@x>\n\nbody\n"])
    both: tuple[AddedField, ...] = ("Return-Path", "Delivered-To")
    assert list(plain.missing_lines(LINES, both)) == [LINES.return_path, LINES.delivered_to]
    assert list(plain.missing_lines(LINES, ())) == []
    postfix = Message.of([b"Return-Path: <s@x>\nX-Original-To: joe\nDelivered-To: joe@a.org\nReceived: by x\n\n"])
    assert list(postfix.missing_lines(LINES, both)) == []


@pytest.mark.parametrize("octets", [0, 10, 3 * 1024 * 1024])
def test_it_can_be_read_again_and_again(octets: int) -> None:
    message = Message.of([b"Subject: x\n\n", b"y" * octets])
    expected = b"Subject: x\n\n" + b"y" * octets
    assert b"".join(message.pieces()) == expected
    assert b"".join(message.with_lines()) == expected
    assert b"".join(message.with_lines(b"A: b\n", b"C: d\n")) == b"A: b\nC: d\n" + expected
    message.close()


def test_a_message_without_a_header_has_no_fields() -> None:
    assert not looped(b"\nReceived: by x\nDelivered-To: joe@a.org")


def test_a_program_can_read_and_rewind_its_input() -> None:
    descriptor = standard_input([b"ab", b"cd"])
    try:
        assert os.read(descriptor, 10) == b"abcd"
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert os.read(descriptor, 10) == b"abcd"
    finally:
        os.close(descriptor)


def test_no_memory_file_stays_open_when_the_message_fails() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError

    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(RuntimeError):
        standard_input(broken())
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_message_for_which_no_file_can_be_made_leaves_none_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    monkeypatch.setattr(os, "fchmod", fails)
    with pytest.raises(OSError, match="No space"):
        MessageInput()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("octets", [b"Received: by x\nSubject: x\n\nbody\n", b"\nbody\n", b""])
def test_a_message_in_a_file_is_that_message(octets: bytes, tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_bytes(octets)
    with (
        contextlib.closing(Message.in_file(os.open(file, os.O_RDONLY))) as found,
        contextlib.closing(Message.of([octets])) as given,
    ):
        assert b"".join(found.pieces()) == octets
        assert (found.top, found.below) == (given.top, given.below)


def test_whoever_gets_a_message_for_reading_cannot_write_it() -> None:
    with contextlib.closing(Message.of([b"body\n"])) as message:
        descriptor = message.read_only()
        try:
            assert os.pread(descriptor, 100, 0) == b"body\n"
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(descriptor, b"forged")
        finally:
            os.close(descriptor)
