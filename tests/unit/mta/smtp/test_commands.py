"""Tests of ``mta.smtp.commands`` and ``addresses``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.addresses import parse_path
from mta.smtp.commands import Bdat, Command, Data, Lhlo, Mail, Noop, Quit, Rcpt, Rset, StartTls, Vrfy, parse_command
from mta.smtp.errors import CommandError


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"LHLO client.example.org", Lhlo()),
        (b"lhlo [127.0.0.1]", Lhlo()),
        (b"MAIL FROM:<a@b>", Mail("a@b", None, utf8=False)),
        (b"mail from: <a@b>", Mail("a@b", None, utf8=False)),
        (b"MAIL FROM:<>", Mail(None, None, utf8=False)),
        (b"MAIL FROM:<> SIZE=500 BODY=8BITMIME", Mail(None, 500, utf8=False)),
        (b"MAIL FROM:<a@b> body=7bit", Mail("a@b", None, utf8=False)),
        ("MAIL FROM:<jö@bü.example> SMTPUTF8".encode(), Mail("jö@bü.example", None, utf8=True)),
        (b'MAIL FROM:<"a b>c"@d> SIZE=1', Mail("a b>c@d", 1, utf8=False)),
        (b"RCPT TO:<a@b>", Rcpt("<a@b>")),
        (b"RCPT TO: <a@b>  ", Rcpt("<a@b>")),
        (b"DATA", Data()),
        (b"BDAT 0", Bdat(0, last=False)),
        (b"bdat 12 last", Bdat(12, last=True)),
        (b"RSET", Rset()),
        (b"NOOP anything", Noop()),
        (b"VRFY joe", Vrfy()),
        (b"STARTTLS", StartTls()),
        (b"quit", Quit()),
    ],
)
def test_a_line_is_a_command(line: bytes, command: Command) -> None:
    assert parse_command(line) == command


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", 500),
        (b"EHLO x", 500),
        (b"HELO x", 500),
        (b"LHLO", 501),
        (b"DATA now", 501),
        (b"RSET \0", 500),
        (b"NOOP a\rb", 500),
        (b"MAIL a@b", 501),
        (b"MAIL FROM:a@b", 501),
        (b"MAIL FROM:<a@b>SIZE=1", 501),
        (b"MAIL FROM:<a@b> SIZE=1 SIZE=2", 501),
        (b"MAIL FROM:<a@b> SIZE=x", 555),
        (b"MAIL FROM:<a@b> SIZE", 555),
        (b"MAIL FROM:<a@b> BODY=BINARYMIME", 555),
        (b"MAIL FROM:<a@b> AUTH=<>", 555),
        (b"MAIL FROM:<a@b", 501),
        (b"MAIL FROM:<a@@b>", 501),
        ("MAIL FROM:<jö@b>".encode(), 553),
        (b"RCPT TO:<a@b> NOTIFY=NEVER", 555),
        (b"RCPT FROM:<a@b>", 501),
        (b"BDAT", 501),
        (b"BDAT -1", 501),
        (b"BDAT 99999999999999999999", 501),
        (b"BDAT 9999999999999999999", 501),
        (b"BDAT 1 FIRST", 501),
    ],
)
def test_what_is_none_gets_its_reply(line: bytes, code: int) -> None:
    with pytest.raises(CommandError) as trouble:
        parse_command(line)
    assert trouble.value.reply.code == code


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<joe@a.org>", "joe@a.org"),
        ("<joe>", "joe"),
        ("<Postmaster>", "Postmaster"),
        ('<"a b\\"c"@x.org>', 'a b"c@x.org'),
        ('<""@x>', "@x"),
        ("<@relay.org,@other:joe@a.org>", "joe@a.org"),
        ("<joe@[127.0.0.1]>", "joe@[127.0.0.1]"),
        ("<joe@[IPv6:::1]>", "joe@[IPv6:::1]"),
        ("<joe+x=y@a_b.org>", "joe+x=y@a_b.org"),
        ("<joe@a.org.>", "joe@a.org."),
        ("<>", None),
    ],
)
def test_a_path_is_an_address(path: str, address: str | None) -> None:
    assert parse_path(path, utf8=False) == address


@pytest.mark.parametrize(
    "path",
    ["", "joe@a.org", "<joe@>", "<.joe@a>", "<joe..x@a>", "<jo e@a>", "<joe@-a>", "<joe@a b>", f"<{'a' * 600}@b>"],
)
def test_other_paths_are_none(path: str) -> None:
    with pytest.raises(CommandError):
        parse_path(path, utf8=True)


@given(st.binary(max_size=100))
def test_any_line_is_a_command_or_has_a_reply(line: bytes) -> None:
    try:
        parse_command(line)
    except CommandError as error:
        assert 500 <= error.reply.code < 560  # noqa: PT017
