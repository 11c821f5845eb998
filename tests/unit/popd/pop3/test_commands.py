from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.commands import (
    MAX_BODY_LINES,
    MAX_COMMAND_OCTETS,
    Apop,
    Auth,
    Capa,
    Command,
    CommandSyntaxError,
    Dele,
    Lang,
    Last,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    UnknownCommandError,
    User,
    Utf8,
    XtndXlst,
    XtndXmit,
    decode_base64,
    parse_command,
)

DIGEST = b"c4c9334bac560ecc979e58001b3e22fb"


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER mrose", User(b"mrose")),
        (b"USER caf\xc3\xa9", User(b"caf\xc3\xa9")),
        (b"PASS secret", Pass(b"secret")),
        (b"APOP mrose " + DIGEST, Apop(b"mrose", DIGEST)),
        (b"APOP mrose " + DIGEST.upper(), Apop(b"mrose", DIGEST)),
        (b"RPOP marshall", Rpop(b"marshall")),
        (b"AUTH", Auth()),
        (b"AUTH plain", Auth("PLAIN")),
        (b"AUTH SCRAM-SHA-256 =", Auth("SCRAM-SHA-256", b"")),
        (b"AUTH PLAIN AGEAYg==", Auth("PLAIN", b"\0a\0b")),
        (b"STLS", Stls()),
        (b"UTF8", Utf8()),
        (b"LANG", Lang()),
        (b"LANG *", Lang("*")),
        (b"LANG EN-us", Lang("en-us")),
        (b"CAPA", Capa()),
        (b"QUIT", Quit()),
        (b"STAT", Stat()),
        (b"LIST", List()),
        (b"LIST 7", List(7)),
        (b"UIDL", Uidl()),
        (b"UIDL 7", Uidl(7)),
        (b"RETR 7", Retr(7)),
        (b"TOP 7 0", Top(7, 0)),
        (b"TOP 7 99999999999999999999", Top(7, MAX_BODY_LINES)),
        (b"DELE 7", Dele(7)),
        (b"NOOP", Noop()),
        (b"RSET", Rset()),
        (b"LAST", Last()),
        (b"XTND XMIT", XtndXmit()),
        (b"XTND XLST Message-Id", XtndXlst(b"Message-Id")),
        (b"xtnd xlst Message-Id 7", XtndXlst(b"Message-Id", 7)),
    ],
)
def test_a_command_is_understood(line: bytes, command: Command) -> None:
    assert parse_command(line) == command


@pytest.mark.parametrize(
    "line", [b"retr 7", b"Retr  7", b"RETR\t7", b"RETR 7 ", b"RETR \t 7\t", b"RETR 0007", b"RETR 0000000007"]
)
def test_harmless_variants_are_tolerated(line: bytes) -> None:
    assert parse_command(line) == Retr(7)


@pytest.mark.parametrize(
    ("line", "password"),
    [
        (b"PASS  leading", b" leading"),
        (b"PASS trailing ", b"trailing "),
        (b"PASS in the\tmiddle", b"in the\tmiddle"),
        (b"PASS  ", b" "),
        (b"pass caf\xc3\xa9 %s{0}", b"caf\xc3\xa9 %s{0}"),
    ],
)
def test_a_password_is_the_rest_of_the_line(line: bytes, password: bytes) -> None:
    assert parse_command(line) == Pass(password)


@pytest.mark.parametrize(
    "line",
    [
        b"USER",
        b"USER m rose",
        b"PASS",
        b"PASS ",
        b"APOP mrose",
        b"APOP mrose 1234",
        b"APOP mrose " + DIGEST[:-1] + b"g",
        b"APOP mrose " + DIGEST + b" x",
        b"RPOP",
        b"RPOP a b",
        b"AUTH PLAIN AGEAYg",
        b"AUTH PLAIN AGEAYg== x",
        b"AUTH pl.ain",
        b"AUTH " + b"A" * 21,
        b"STLS now",
        b"UTF8 USER",
        b"LANG en fr",
        b"LANG en_US",
        b"LANG en-",
        b"CAPA x",
        b"QUIT 1",
        b"STAT 1",
        b"LIST 1 2",
        b"LIST x",
        b"UIDL 1 2",
        b"RETR",
        b"RETR 0",
        b"RETR -1",
        b"RETR +1",
        b"RETR 1_0",
        b"RETR 1.0",
        b"RETR \xd9\xa1",
        b"RETR 00000000001",
        b"RETR " + b"9" * 240,
        b"TOP 1",
        b"TOP 1 -1",
        b"TOP 1 x",
        b"TOP 0 1",
        b"TOP 1 2 3",
        b"DELE",
        b"DELE abc",
        b"NOOP x",
        b"RSET x",
        b"LAST x",
        b"XTND",
        b"XTND XMIT x",
        b"XTND XLST",
        b"XTND XLST Sub:ject",
        b"XTND XLST Subject x",
        b"XTND XLST Subject 1 2",
    ],
)
def test_wrong_arguments_are_refused(line: bytes) -> None:
    with pytest.raises(CommandSyntaxError) as caught:
        parse_command(line)
    assert type(caught.value) is CommandSyntaxError


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"X",
        b"TO",
        b"BOGUS",
        b" RETR 1",
        b"RETR:1",
        b"RET\xd2 1",
        b"XTND BBOARDS",
        b"GET / HTTP/1.1",
        b"EHLO x",
    ],
)
def test_what_nobody_knows_is_unknown(line: bytes) -> None:
    with pytest.raises(UnknownCommandError):
        parse_command(line)


@pytest.mark.parametrize("octet", [*range(9), *range(10, 32), 127])
@pytest.mark.parametrize("line", [b"PASS a%bb", b"USER a%bb", b"NOOP%b", b"%bNOOP"])
def test_control_characters_are_refused_everywhere(line: bytes, octet: int) -> None:
    with pytest.raises(CommandSyntaxError):
        parse_command(line % bytes([octet]))


def test_the_longest_line_is_taken() -> None:
    password = b"x" * (MAX_COMMAND_OCTETS - len(b"PASS \r\n"))
    assert parse_command(b"PASS " + password) == Pass(password)


@pytest.mark.parametrize("octets", [MAX_COMMAND_OCTETS - 1, 1024, 2**20])
def test_a_longer_line_is_refused(octets: int) -> None:
    with pytest.raises(CommandSyntaxError, match="too long"):
        parse_command(b"PASS ".ljust(octets, b"x"))


def test_credentials_do_not_show() -> None:
    for line in (b"PASS sesame", b"AUTH PLAIN c2VzYW1l"):
        assert "sesame" not in repr(parse_command(line))
        assert "c2VzYW1l" not in repr(parse_command(line))


def test_malformed_credentials_do_not_show_in_the_error() -> None:
    with pytest.raises(CommandSyntaxError) as caught:
        decode_base64(b"sesame!")
    assert "sesame" not in str(caught.value)
    assert caught.value.__suppress_context__


@given(st.binary(max_size=100))
def test_base64_is_decoded(octets: bytes) -> None:
    assert decode_base64(base64.b64encode(octets)) == octets


@pytest.mark.parametrize(
    "text", [b"=", b"YQ", b"YQ=", b"YQ===", b"Y Q=", b"YQ==YQ==", b"YW-_", b"YQ==\n", b"\xff\xff=="]
)
def test_base64_is_strict(text: bytes) -> None:
    with pytest.raises(CommandSyntaxError):
        decode_base64(text)


@given(
    st.sampled_from([b"", b"RETR ", b"TOP ", b"AUTH ", b"XTND XLST ", b"LANG ", b"APOP ", b"PASS ", b"UIDL "]),
    st.binary(max_size=300) | st.text(string.printable, max_size=40).map(str.encode),
)
def test_any_line_is_a_command_or_a_syntax_error_that_repeats_nothing(keyword: bytes, rest: bytes) -> None:
    try:
        parse_command(keyword + rest)
    except CommandSyntaxError as error:
        assert str(error).isascii()  # noqa: PT017 - either outcome is right
        assert str(error).isprintable()  # noqa: PT017
        assert not str(error).startswith("[")  # noqa: PT017
