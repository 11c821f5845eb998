from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.maildir.order import in_order

TIMES = {"foreign": 20_000_000_000, "foreign-too": 20_500_000_000, "b": 7_000_000_000, "before 1970": -5}


def times(base: str) -> int | None:
    return TIMES.get(base)


def no_file(base: str) -> int:
    raise AssertionError(f"looked at {base}")


def test_names_with_seconds_of_ten_digits_are_sorted_without_a_look_at_files() -> None:
    names = ["1732424001.M5P1.host", "1732424000.x.host", "1732423999.M999999P1.host"]
    assert in_order(names, no_file) == names[::-1]


def test_messages_of_one_second_are_sorted_by_microseconds_as_numbers_then_by_name() -> None:
    expected = [
        "1732424000.4711.host",
        "1732424000.4711.hostM5",
        "1732424000.M1234567.host",
        "1732424000.M9P1.host",
        "1732424000.M10P1.host",
        "1732424000.M10P2.host",
        "1732424000.V801I5a0M123456.host",
        "1732424001.M1P1.host",
    ]
    shuffled = random.Random(1).sample(expected, len(expected))
    assert in_order(shuffled, no_file) == expected


def test_other_names_are_sorted_by_what_time_they_tell_else_by_that_of_their_file() -> None:
    names = ["30.M9P1", "30.M10P1", "1732424000.M1P1", "7.x", "b", "foreign", "foreign-too", "before 1970", "", "gone"]
    TIMES[""] = 8_000_000_000
    assert in_order(names, times) == [
        "before 1970",
        "7.x",
        "b",
        "",
        "foreign",
        "foreign-too",
        "30.M9P1",
        "30.M10P1",
        "1732424000.M1P1",
    ]


def test_a_time_too_far_ahead_for_ten_digits_is_the_latest_there_is() -> None:
    names = {"x": 2**63 - 1, "99999999999.x": 1}
    assert in_order(names, names.get) == ["99999999999.x", "x"]


def test_short_names_that_make_seconds_together_are_not_taken_for_them() -> None:
    names = {"12345": 1_700_000_000 * 10**9, "67890.": 0, "1732424000.x": 0}
    assert in_order(names, names.get) == ["67890.", "12345", "1732424000.x"]


@pytest.mark.parametrize("count", [0, 1])
def test_few_names_are_in_order(count: int) -> None:
    assert in_order(["1732424000.x"] * count, no_file) == ["1732424000.x"] * count


NAME_PARTS = (["", "173242400", "1732424000", "1732424001"], ["", "."], ["", "M7P", "M12"])


@given(
    st.dictionaries(
        st.tuples(*map(st.sampled_from, NAME_PARTS)).map("".join), st.sampled_from([0, 7 * 10**9, 10**19]), max_size=8
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_does_not_depend_on_that_of_the_directory(names: dict[str, int], rng: random.Random) -> None:
    shuffled = rng.sample(list(names), len(names))
    assert in_order(shuffled, names.get) == in_order(list(names), names.get)
    assert sorted(in_order(names, names.get)) == sorted(names)
