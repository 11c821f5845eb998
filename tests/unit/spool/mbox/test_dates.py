from __future__ import annotations

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.dates import date_of
from spool.mbox.from_line import make_from_line

NOON = calendar.timegm((2026, 11, 24, 12, 0, 0))


@given(st.integers(0, 2**33))
def test_the_date_of_our_own_lines_is_the_time_they_were_made_with(seconds: int) -> None:
    assert date_of(make_from_line("yasuhi@example.org", seconds)) == seconds


@pytest.mark.parametrize(
    "date",
    [
        b"Tue Nov 24 12:00:00 2026",
        b"Tue Nov 24 12:00 2026",
        b"Nov 24 12:00:00 2026",
        b"Tue Nov 24 2026 12:00:00",
        b"Tue Nov 24 12:00:00 GMT 2026",
        b"Tue Nov 24 21:00:00 +0900 2026",
        b"Tue Nov 24 07:00:00 2026 -0500",
        b"Tue Nov 24 12:00:00 2026 remote from relay",
        b"Tue, 24 Nov 2026 12:00:00 +0000",
        b"24 Nov 26 12:00:00",
    ],
)
def test_dates_of_other_programs_are_understood(date: bytes) -> None:
    assert date_of(b"From yasuhi " + date + b"\n") == NOON


def test_two_digits_of_a_year_are_of_the_last_century_from_70_on() -> None:
    assert date_of(b"From yasuhi 1 Jan 70 00:00:10\n") == 10


@pytest.mark.parametrize(
    "line",
    [
        b"From here on it rained\n",
        b"From yasuhi Tue Nov 24 2026\n",
        b"From yasuhi Tue Nov 24 12:00:00\n",
        b"From yasuhi Tue Nvo 24 12:00:00 2026\n",
        b"From yasuhi Tue anF 24 12:00:00 2026\n",
        b"From yasuhi Tue Nov 32 12:00:00 2026\n",
        b"From yasuhi Tue Nov 24 25:00:00 2026\n",
        b"From yasuhi Tue Nov 24 12:00:00 1969\n",
    ],
)
def test_what_is_no_date_is_none(line: bytes) -> None:
    assert date_of(line) is None
