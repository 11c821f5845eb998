"""Tests of ``delivery.environment``, ``headers`` and ``owners`` with the vectors of qmail's programs."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest

from delivery.environment import Recipient, environment
from delivery.headers import added_lines
from delivery.owners import forwarding_sender
from spool.names import UserName

THEN = calendar.timegm((2026, 11, 24, 2, 25, 16))


def recipient(local: str, domain: str, extension: str = "") -> Recipient:
    dash = "-" if extension else ""
    return Recipient(local, domain, UserName("joe"), 507, 100, Path("/mailid/j/joe"), dash, extension)


def test_the_lines_and_hosts_are_qmails() -> None:
    to = recipient("joe", "sub.example.org.jp")
    sender = 'a b"c@x.org'
    lines = added_lines(to.address, sender, THEN)
    found = environment(to, sender=sender, new_sender=sender, default=None, lines=lines)
    assert found[b"UFLINE"] == b'From a-b"c@x.org Tue Nov 24 02:25:16 2026\n'
    assert found[b"RPLINE"] == b'Return-Path: <"a b\\"c"@x.org>\n'
    assert found[b"DTLINE"] == b"Delivered-To: joe@sub.example.org.jp\n"
    assert [found[name] for name in (b"HOST", b"HOST2", b"HOST3", b"HOST4")] == [
        b"sub.example.org.jp",
        b"sub.example.org",
        b"sub.example",
        b"sub",
    ]
    assert b"DEFAULT" not in found


def test_the_extension_is_taken_apart_at_its_dashes() -> None:
    to = recipient("joe-Foo.Bar-Baz-q-r", "a.org", "Foo.Bar-Baz-q-r")
    lines = added_lines(to.address, None, THEN)
    found = environment(to, sender=None, new_sender=None, default="Foo.Bar-Baz-q-r", lines=lines)
    names = (b"EXT", b"EXT2", b"EXT3", b"EXT4", b"DEFAULT", b"SENDER", b"USER", b"HOME")
    assert [found[name] for name in names] == [
        b"Foo.Bar-Baz-q-r",
        b"Baz-q-r",
        b"q-r",
        b"r",
        b"Foo.Bar-Baz-q-r",
        b"",
        b"joe",
        b"/mailid/j/joe",
    ]
    assert found[b"UFLINE"].startswith(b"From MAILER-DAEMON ")


def test_strangers_add_no_line_and_end_no_value() -> None:
    to = recipient("joe\nX-Evil: yes", "a.org")
    lines = added_lines(to.address, "x\n\0@y", THEN)
    assert lines.delivered_to == b"Delivered-To: joe_X-Evil: yes@a.org\n"
    assert lines.return_path.count(b"\n") == lines.from_line.count(b"\n") == 1
    assert b"\0" not in b"".join(environment(to, sender="x\0", new_sender=None, default=None, lines=lines).values())


@pytest.mark.parametrize(
    ("files", "sender", "expected"),
    [
        ((), "s@x", "s@x"),
        ((".qmail-list-owner",), "s@x", "joe-list-owner@a.org"),
        ((".qmail-list-owner", ".qmail-list-owner-default"), "s@x", "joe-list-owner-@a.org-@[]"),
        ((".qmail-list-owner-default",), "s@x", "s@x"),
        ((".qmail-list-owner",), None, None),
        ((".qmail-list-owner",), "#@[]", "#@[]"),
    ],
)
def test_a_list_with_an_owner_sends_as_the_owner(
    files: tuple[str, ...], sender: str | None, expected: str | None
) -> None:
    to = recipient("joe-list", "a.org", "list")
    assert forwarding_sender(to, sender, exists=files.__contains__) == expected
