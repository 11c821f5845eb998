"""Tests of ``spool.carrying.flags``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.carrying.flags import Flag, Flags
from spool.maildir.directories import Part, Place

ALL_FLAGS = st.builds(Flags, st.frozensets(st.sampled_from(Flag)), st.booleans())


@pytest.mark.parametrize(
    ("place", "marks", "recent"),
    [
        (Place(Part.NEW, ""), "", True),
        (Place(Part.CUR, ""), "", False),
        (Place(Part.CUR, ":2,"), "", False),
        (Place(Part.CUR, ":2,FSab"), "FS", False),
        (Place(Part.CUR, ":1,S"), "", False),
        (Place(Part.NEW, ":2,T"), "T", True),
    ],
)
def test_a_place_in_a_maildir_tells_the_marks(place: Place, marks: str, recent: bool) -> None:
    assert Flags.from_place(place) == Flags(frozenset(map(Flag, marks)), recent)


@pytest.mark.parametrize(
    ("head", "marks", "recent"),
    [
        (b"Subject: x\n\n", "", True),
        (b"Status: RO\n\n", "S", False),
        (b"STATUS: O\nx-status: AFTD\n\nStatus: R\n", "DFRT", False),
        (b"X-Keywords: work $Forwarded home\n", "P", True),
        (b"\nStatus: R\n", "", True),
        (b"Status:\n\n", "", True),
    ],
)
def test_a_header_in_an_mbox_tells_the_marks(head: bytes, marks: str, recent: bool) -> None:
    assert Flags.from_head(head) == Flags(frozenset(map(Flag, marks)), recent)


@given(ALL_FLAGS)
def test_marks_are_the_same_after_a_way_through_both_kinds(flags: Flags) -> None:
    assert Flags.from_head(flags.fields + b"\n") == flags
    # A Maildir's new has no marks: what has one was looked at.
    assert Flags.from_place(flags.place) == Flags(flags.marks, flags.recent and not flags.marks)
