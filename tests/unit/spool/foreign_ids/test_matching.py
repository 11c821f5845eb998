"""Tests of spool.foreign_ids.matching."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spool.foreign_ids.matching import header_digest, pair, without_crossings


def test_line_ends_blanks_and_storage_fields_make_no_other_header() -> None:
    stored = b"Subject: a\n folded\t\nSTATUS: RO\nX-UID: 1\n more\nX-UIDL: q\nLines: 3\nTo: b\n"
    assert header_digest(stored) == header_digest(b"Subject: a\r\n folded\r\nTo: b")


def test_other_fields_make_another_header() -> None:
    assert len({header_digest(header) for header in (b"A: 1\n", b"A: 2\n", b"B: 1\n", b"A: 1\n\tx\n")}) == 4


def test_messages_alike_are_paired_in_their_order() -> None:
    assert pair(["a", "b", "a"], ["b", "a", "a"]) == [1, 0, 2]


def test_messages_alike_are_not_paired_if_one_side_has_more() -> None:
    assert pair(["a", "a", "b", "c"], ["a", "b", "c", "c"]) == [None, None, 1, None]


def test_of_what_nothing_is_known_is_paired_with_nothing() -> None:
    assert pair([None, "a"], [None, "a"]) == [None, 1]


def test_crossing_pairs_are_both_left_out() -> None:
    assert without_crossings([0, 2, 1, 3]) == [0, None, None, 3]
    assert without_crossings([1, 2, 0]) == [None, None, None]
    assert without_crossings([0, None, 2]) == [0, None, 2]


@given(st.permutations(range(6)).map(lambda order: [each if each < 5 else None for each in order]))
def test_what_stays_crosses_nothing(partners: list[int | None]) -> None:
    kept = without_crossings(partners)
    for position, partner in enumerate(partners):
        if partner is None:
            assert kept[position] is None
            continue
        crosses = any(
            other is not None and (other < partner) != (place < position)
            for place, other in enumerate(partners)
            if place != position
        )
        assert kept[position] == (None if crosses else partner)
