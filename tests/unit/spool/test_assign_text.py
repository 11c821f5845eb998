"""Tests of ``spool.assign_text``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool import assign_text
from spool.assign import AssignRecord, compile_assign, compile_plain, parse_assign
from spool.assign_text import AssignText, columns_of
from spool.errors import SettingsError
from spool.names import UserName

FILE = Path("control/assign")
TEXT = (
    b"=joe:joe:0507:100:/home/joe:::kept as it is\n"
    b"+joe-:joe:507:100:/home/joe:-::\n"
    b"=Postmaster:joe:507:100:/home/joe:-:post:\n"
    b"=ann:ann:508:100:/home/ann:::\n"
    b".\n"
    b"notes\n"
)


def parsed(text: bytes = TEXT) -> AssignText:
    return AssignText.parse(text, file=FILE)


def test_a_name_has_the_record_of_its_exact_assignment() -> None:
    assert parsed().assigned(UserName("postmaster")) == AssignRecord("joe", 507, 100, Path("/home/joe"), "-", "post")


def test_a_name_that_only_a_wildcard_takes_is_not_assigned() -> None:
    assert parsed().assigned(UserName("joe-list")) is None


def test_users_are_those_assigned_to_themselves() -> None:
    assert parsed().users() == {"joe", "ann"}


def test_homes_have_their_users() -> None:
    assert list(parsed().homes()) == [("/home/joe", "joe"), ("/home/ann", "ann")]


def test_assignments_are_counted_up_to_the_dot() -> None:
    assert parsed().count() == 4


def test_a_text_of_another_form_is_given_in_its_plain_form() -> None:
    text = b"=joe:joe:0507:100:/home//joe/:::remark\n+:a:1:0:/a:-/:x:\n.\n"
    assert list(parsed(text).pieces()) == [b"=joe:joe:507:100:/home/joe:::\n+:a:1:0:/a:-/:x:\n"]


def test_a_plain_text_is_known_to_be_one() -> None:
    assert parsed(b"=joe:joe:507:100:/home/joe:::\n.\n").plain
    assert not parsed().plain


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"joe:joe:507:100:/home/joe:::",
        b"=:joe:507:100:/home/joe:::",
        b"=joe::507:100:/home/joe:::",
        b"=joe:joe::100:/home/joe:::",
        b"=joe:joe:507:x:/home/joe:::",
        b"=joe:joe:99999999999:100:/home/joe:::",
        b"=joe:joe:507:100:home:::",
        b"=joe:joe:507:100:/home/../x:::",
        b"=joe:joe:507:100:/home/joe:\0::",
        b"=joe:joe:507:100:/home/joe::",
    ],
)
@pytest.mark.parametrize("pieces", [1, 1 << 20])
def test_the_first_wrong_line_is_named_as_by_the_exact_parser(
    monkeypatch: pytest.MonkeyPatch, line: bytes, pieces: int
) -> None:
    monkeypatch.setattr(assign_text, "PIECE_OCTETS", pieces)
    text = b"=a:a:1:1:/a:::\n=b:b:01:1:/b:::\n" + line + b"\nwrong too\n.\n"
    with pytest.raises(SettingsError) as expected:
        parse_assign(text, file=FILE)
    with pytest.raises(SettingsError) as caught:
        parsed(text)
    assert str(caught.value) == str(expected.value)


PARTS = st.sampled_from(
    [b"", b"a", b"J\rb", b"/", b"/home/a", b"//b", b"/./a", b"/..", b"0", b"07", b"4294967294", b"\xff"]
)
LINES = st.one_of(
    st.builds(
        lambda first, fields, rest: first + b":".join(fields) + b":" + rest,
        st.sampled_from([b"=", b"+", b"=x", b"+x-", b"."]),
        st.lists(PARTS, min_size=7, max_size=7),
        st.sampled_from([b"", b"", b"rest", b":"]),
    ),
    st.builds(
        lambda local, uid, home: b"=%b:u:%b:0:%b:::" % (local, uid, home),
        st.sampled_from([b"a", b"B"]),
        st.sampled_from([b"1", b"999999999", b"01"]),
        st.sampled_from([b"/a", b"/a/.b", b"/a/", b"/a.", b"/"]),
    ),
    st.binary(max_size=12),
)


ENDS = st.sampled_from([b".", b".\n", b"", b"x", b".\nx:\n"])


def outcome(parse: Callable[[], object]) -> object:
    """What a parser says: its result, or the text of its error."""
    try:
        return parse()
    except SettingsError as error:
        return str(error)


def both(text: bytes) -> object:
    """What the fast parser says of a text, as the exact one puts it; the database must be the same, too."""
    found = parsed(text)
    lines = parse_assign(b"".join(found.pieces()) + b".", file=FILE)
    assert found.count() == len(lines)
    assert b"".join(compile_plain(found.pieces())) == compile_assign(lines)
    return lines


@given(st.lists(LINES, max_size=6), ENDS, st.sampled_from([1, 30, 1000]))
def test_both_parsers_accept_the_same_and_say_the_same(lines: list[bytes], end: bytes, octets: int) -> None:
    text = b"".join(line + b"\n" for line in lines) + end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assign_text, "PIECE_OCTETS", octets)
        assert outcome(lambda: both(text)) == outcome(lambda: parse_assign(text, file=FILE))


@given(st.lists(LINES, min_size=1, max_size=3))
def test_columns_that_pass_hold_what_the_exact_parser_finds(lines: list[bytes]) -> None:
    piece = b"".join(line + b"\n" for line in lines)
    columns = columns_of(piece)
    if columns is not None:
        records = [line.record for line in parse_assign(piece + b".", file=FILE)]
        assert columns.users == [record.user.encode("utf-8", "surrogateescape") for record in records]
        assert list(map(int, columns.uids)) == [record.uid for record in records]
        assert [Path(home.decode()) for home in columns.homes] == [record.home for record in records]
