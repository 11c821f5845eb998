from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spool import line_count
from spool.line_count import count_lines

BASE64 = b"A" * 76 + b"\n"
MIXED = b"".join(b"a" * (number % 61) + b"\n" for number in range(2_000))
LINES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), max_size=12).map(
    lambda runs: b"".join((b"a" * octets + b"\n") * lines for octets, lines in runs)
)


@settings(max_examples=150)
@given(LINES, st.integers(0, 3), st.integers(0, 3))
@example(b"\n" * 100, 0, 0)
@example(b"aaa\n" * 9 + b"\naa\n" + b"aaa\n" * 9, 0, 0)
def test_the_count_is_the_number_of_line_ends(text: bytes, before: int, after: int) -> None:
    stop = max(len(text) - after, before)
    with mock.patch.object(line_count, "_STEP_OCTETS", 16), mock.patch.object(line_count, "_RUN_OCTETS", 64):
        assert count_lines(text, before, stop) == text[before:stop].count(b"\n")


@pytest.mark.parametrize(
    "text",
    [
        BASE64 * 5_000,
        BASE64 * 500 + b"A" * 10 + b"\n" + BASE64 * 500 + b"tail",
        MIXED,
        MIXED + BASE64 * 3_000 + MIXED,
        (BASE64 * 40 + b"\n" * 77) * 30,  # lines where a column is all line ends, and others between
        b"a" * 100_000,
        b"a" * 100_000 + b"\n",
        b"",
    ],
    ids=["equal", "one shorter", "mixed", "equal among mixed", "hidden", "no line end", "one line", "empty"],
)
def test_long_text_is_counted_like_short_text(text: bytes) -> None:
    assert count_lines(text, 0, len(text)) == text.count(b"\n")


def test_nothing_before_and_behind_the_range_is_counted() -> None:
    assert count_lines(BASE64 * 300, 77, 77 * 299) == 298
