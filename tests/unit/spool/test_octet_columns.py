"""Tests of ``spool.octet_columns``."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import MalformedNameError
from spool.names import UserName
from spool.octet_columns import are_ids, are_paths, are_user_names, columns_of, pieces_of, pieces_read

LINES = st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=8)


@given(LINES, st.integers(1, 20))
def test_pieces_of_a_text_are_whole_lines_and_all_of_it(lines: list[bytes], octets: int) -> None:
    text = b"".join(lines)
    pieces = list(pieces_of(text + b"rest", len(text), octets=octets))
    assert b"".join(pieces) == text
    assert all(piece.endswith(b"\n") for piece in pieces)


@given(LINES, st.integers(1, 20))
def test_pieces_of_a_stream_are_whole_lines_and_all_of_it(lines: list[bytes], octets: int) -> None:
    pieces = list(pieces_read(io.BytesIO(b"".join(lines)), octets=octets))
    assert b"".join(pieces) == b"".join(lines)
    assert all(piece.endswith(b"\n") for piece in pieces)


def test_a_last_line_gets_its_line_end() -> None:
    assert list(pieces_read(io.BytesIO(b"a\nb"), octets=100)) == [b"a\nb\n"]


def test_lines_are_cut_into_columns() -> None:
    assert columns_of(b"a:b:c\n::\nd::e\n", b":", 3) == ([b"a", b"", b"d"], [b"b", b"", b""], [b"c", b"", b"e"])


@pytest.mark.parametrize("piece", [b"a:b\nc\n", b"a\nb:c:d\n", b"a:b:c\nd\n", b"\n", b"a:b\n\n"])
def test_lines_of_other_widths_are_no_columns(piece: bytes) -> None:
    assert columns_of(piece, b":", 2) is None


@given(st.lists(st.lists(st.sampled_from([b"", b"a", b":", b"b c"]), min_size=1, max_size=4), min_size=1, max_size=4))
def test_columns_are_those_of_the_lines_one_by_one(rows: list[list[bytes]]) -> None:
    lines = [b":".join(row) for row in rows]
    cut = [line.split(b":") for line in lines]
    width = len(cut[0])
    expected = tuple(map(list, zip(*cut, strict=True))) if {len(row) for row in cut} == {width} else None
    assert columns_of(b"\n".join([*lines, b""]), b":", width) == expected


@pytest.mark.parametrize(
    ("text", "right"), [(b"0", True), (b"999999999", True), (b"01", False), (b"", False), (b"1\n2", True)]
)
def test_ids_are_numbers_in_plain_form(text: bytes, right: bool) -> None:
    assert are_ids([b"7", *text.split(b"\n")]) is right


@pytest.mark.parametrize("path", [b"/a", b"/a/b", b"/a.", b"/.a", b"/..a", b"/a b"])
def test_plain_absolute_paths_pass(path: bytes) -> None:
    assert are_paths([b"/x", path])


@pytest.mark.parametrize("path", [b"", b"/", b"a", b"/a/", b"//a", b"/a/.", b"/./a", b"/..", b"/a/../b", b"/a\0"])
def test_other_paths_do_not_pass(path: bytes) -> None:
    assert not are_paths([b"/x", path])


@given(st.text("aB0_.-+=l ock\n", max_size=70) | st.sampled_from(["a.lock", "a" * 64, "a" * 65, "a.lock.lock"]))
def test_names_pass_that_are_names_of_users(name: str) -> None:
    try:
        UserName(name)
    except MalformedNameError:
        right = False
    else:
        right = True
    # A line end cannot be in a column.
    assert are_user_names([b"x", name.replace("\n", " ").encode()]) is right
