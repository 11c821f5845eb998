"""Tests of ``spool.directory_sources.passwd_text``."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from spool.directory_sources import passwd_text
from spool.directory_sources.accounts import Account, Skipped, SkipReason
from spool.directory_sources.passwd_text import read_passwd


def read(text: bytes) -> list[Account | Skipped]:
    return list(read_passwd(io.BytesIO(text)))


def test_lines_are_accounts() -> None:
    assert read(b"ann:x:1001:100:Ann,,,:/home/ann:/bin/sh\nbob:*:1002:100::/home/bob:\n") == [
        Account(1, b"ann", b"1001", b"100", b"/home/ann"),
        Account(2, b"bob", b"1002", b"100", b"/home/bob"),
    ]


def test_what_is_no_account_is_skipped_and_said_so() -> None:
    text = b"root:x:0:0::/root:/bin/sh\n+@staff\n-bob\n+::::::\nAnn:x:1:1::/a:\nann:x:1\nb\0b:x:1:1::/b:\n"
    assert [(each.line, each.reason) for each in read(text) if isinstance(each, Skipped)] == [
        (1, SkipReason.ROOT),
        (2, SkipReason.COMPAT),
        (3, SkipReason.COMPAT),
        (4, SkipReason.COMPAT),
        (5, SkipReason.UPPER_CASE),
        (6, SkipReason.FIELDS),
        (7, SkipReason.NUL),
    ]


def test_empty_lines_and_remarks_are_no_entries() -> None:
    assert read(b"\n# users\nann:x:1:1::/a:\r\n") == [Account(3, b"ann", b"1", b"1", b"/a")]


def test_lines_are_numbered_on_over_pieces() -> None:
    text = (
        b"".join(b"user%05d:x:1:1::/home/user%05d:\n" % (number, number) for number in range(6000)) + b"Ann:x:1:1::/a:"
    )
    found = read(text)
    assert [each.line for each in found] == list(range(1, 6002))
    assert isinstance(found[-1], Skipped)


FIELDS = st.sampled_from(
    [b"ann", b"Ann", b"", b"0", b"01", b"1001", b"/", b"/home/ann", b"/home//ann", b"+", b"\xff", b"\0"]
)


@given(st.lists(st.lists(FIELDS, min_size=6, max_size=8).map(b":".join), max_size=4))
def test_columns_say_what_the_lines_say_one_by_one(lines: list[bytes]) -> None:
    piece = b"".join(line + b"\n" for line in lines)
    columns = passwd_text._by_columns(piece, 1) if piece else None
    if columns is not None:
        assert list(columns) == list(passwd_text._by_lines(piece, 1))


@given(st.lists(st.tuples(st.integers(1, 10**9 - 1), st.integers(0, 10**9 - 1)), min_size=1, max_size=4))
def test_lines_in_plain_form_are_read_by_columns(ids: list[tuple[int, int]]) -> None:
    piece = b"".join(b"ann:x:%d:%d:Ann:/home/ann:/bin/sh\n" % each for each in ids)
    columns = passwd_text._by_columns(piece, 1)
    assert columns is not None
    assert list(columns) == list(passwd_text._by_lines(piece, 1))
