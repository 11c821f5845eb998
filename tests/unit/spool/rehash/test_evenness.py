"""Tests of ``spool.rehash.evenness``."""

from __future__ import annotations

from spool.layouts import LAYOUTS, layout_named
from spool.names import UserName
from spool.rehash.evenness import Bar, evenness_of, evenness_of_all


def names(*texts: str) -> list[UserName]:
    return [UserName(text) for text in texts]


def test_a_layout_is_told_by_its_directories() -> None:
    even = evenness_of(layout_named("first-two"), names("k-chinnen", "k-tanaka", "k-sato", "yasuhi"))
    assert (even.used, even.empty, even.most, even.fullest, even.mean) == (2, 37 * 41 - 2, 3, "k/-", 2.0)
    assert even.histogram == (Bar(1, 1, 1), Bar(2, 3, 1))


def test_all_layouts_are_compared_the_most_even_first() -> None:
    found = evenness_of_all(names(*(f"user{number:04}" for number in range(1000))))
    assert {even.layout for even in found} == set(LAYOUTS)
    assert [even.most for even in found] == sorted(even.most for even in found)
    assert found[0].layout == "hex2"
    letter4 = next(even for even in found if even.layout == "letter4")
    assert letter4.used == 1  # names that begin alike


def test_without_users_there_is_nothing_to_compare() -> None:
    assert evenness_of_all([]) == ()
