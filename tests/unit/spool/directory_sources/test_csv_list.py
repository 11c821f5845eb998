"""Tests of ``spool.directory_sources.csv_list``."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.directory_sources import csv_list
from spool.directory_sources.accounts import Account, Skipped, SkipReason
from spool.directory_sources.csv_list import read_csv
from spool.errors import SettingsError
from spool.names import DomainName

ORG = (DomainName("example.org"),)


def read(text: bytes) -> list[Account | Skipped]:
    return list(read_csv(io.BytesIO(text), file="users.csv"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"ann", Account(1, b"ann", None, None, None)),
        (b"ann\r\n", Account(1, b"ann", None, None, None)),
        (b"\xef\xbb\xbfann\n", Account(1, b"ann", None, None, None)),
        (b"ann,1001,100,/home/ann,example.org\n", Account(1, b"ann", b"1001", b"100", b"/home/ann", ORG)),
        (b"ann,,,,example.org\n", Account(1, b"ann", None, None, None, ORG)),
        (b" ann , 1001,\t100\n", Account(1, b"ann", b"1001", b"100", None)),
        (b'"ann","1001"\n', Account(1, b"ann", b"1001", None, None)),
        (b"\n\nann\n", Account(3, b"ann", None, None, None)),
        (b"name,uid,gid,home,domain\nann\n", Account(2, b"ann", None, None, None)),
        (b"name\n", Account(1, b"name", None, None, None)),
        (b"ann,01\n", Account(1, b"ann", b"1", None, None)),
        (b"ann,1,1,/a,-\n", Skipped(1, "ann", SkipReason.DOMAIN)),
        (b"ann,1,1,/a:b\n", Skipped(1, "ann", SkipReason.HOME)),
        (b"a\0b\n", Skipped(1, "a\0b", SkipReason.NUL)),
        (b"Ann\n", Skipped(1, "Ann", SkipReason.UPPER_CASE)),
        (b"ann,0\n", Skipped(1, "ann", SkipReason.ROOT)),
    ],
)
def test_a_line_is_an_account_or_skipped(text: bytes, expected: Account | Skipped) -> None:
    assert read(text) == [expected]


def test_lines_may_have_different_widths() -> None:
    assert [each[1] for each in read(b"ann\nbob,1\n") if isinstance(each, Account)] == [b"ann", b"bob"]


def test_a_quoted_field_may_hold_commas_and_line_ends() -> None:
    first, second = read(b'ann,1,1,"/mail/a,b"\n"bob\n",2\n')
    assert first == Account(1, b"ann", b"1", b"1", b"/mail/a,b")
    assert second == Skipped(3, "bob\n", SkipReason.NAME)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(b"a\nb,1,1,/b,example.org,x\n", "line 2: expected at most five fields, found 6"), (b'a\n"b', "line 2: ")],
)
def test_what_is_no_such_list_is_an_error_that_names_the_line(text: bytes, complaint: str) -> None:
    with pytest.raises(SettingsError, match=rf"^users.csv: {complaint}"):
        read(text)


def test_lines_are_numbered_on_over_pieces() -> None:
    text = b"".join(b"user%05d,1,1\n" % number for number in range(12000)) + b'"Ann"\n' + b"bob\n"
    assert [each.line for each in read(text)] == list(range(1, 12003))


FIELDS = st.sampled_from(
    [b"", b"ann", b"Ann", b"0", b"1001", b"01", b"/home/ann", b"/a/", b"/a:b", b"a.org", b"x ", b"\xff"]
)


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=6).map(b",".join), max_size=4))
def test_columns_say_what_the_rows_say_one_by_one(lines: list[bytes]) -> None:
    piece = b"".join(line + b"\n" for line in lines)
    columns = csv_list._by_columns(piece, 2) if piece else None
    if columns is not None:
        assert list(columns) == list(csv_list._by_rows([piece], 2, "users.csv"))


@pytest.mark.parametrize("row", [b"ann", b"ann,1", b"ann,,100", b"ann,1,1,/a", b"ann,1,1,/a,example.org", b"ann,,,,"])
def test_rows_in_plain_form_are_read_by_columns(row: bytes) -> None:
    columns = csv_list._by_columns(row + b"\n", 2)
    assert columns is not None
    assert list(columns) == list(csv_list._by_rows([row], 2, "users.csv"))
