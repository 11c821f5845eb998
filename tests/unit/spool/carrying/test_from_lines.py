"""Tests of ``spool.carrying.from_lines``."""

from __future__ import annotations

import pytest

from spool.carrying.from_lines import from_line_for, usable_from_line

DATE = b"Thu Jan  1 00:00:00 2015"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_from_line_with_a_date_is_kept_with_an_lf(end: bytes) -> None:
    assert usable_from_line(b"From a@example.org " + DATE + end) == b"From a@example.org " + DATE + b"\n"


@pytest.mark.parametrize("line", [b"From a@example.org\n", b"From " + b"x" * 1000 + b" " + DATE + b"\n"])
def test_a_from_line_that_would_not_separate_is_not_kept(line: bytes) -> None:
    assert usable_from_line(line) is None


@pytest.mark.parametrize(
    ("head", "sender"),
    [
        (b"Return-Path: <a@example.org>\nSubject: x\n\n", b"a@example.org"),
        (b"RETURN-PATH:  <>\n\n", b"MAILER-DAEMON"),
        (b"Subject: x\n\nReturn-Path: <body@example.org>\n", b"MAILER-DAEMON"),
        (b"Return-Path: <unended@example.org>", b"unended@example.org"),
    ],
)
def test_the_sender_is_the_return_path(head: bytes, sender: bytes) -> None:
    assert from_line_for(head, 1420070400.5) == b"From " + sender + b" " + DATE + b"\n"
