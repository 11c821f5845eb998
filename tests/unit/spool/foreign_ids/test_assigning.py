"""Tests of spool.foreign_ids.assigning."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spool.foreign_ids.assigning import Conflict, Plan, Reason, plan


def test_messages_get_the_ids_that_they_had() -> None:
    assert plan(["a", "b"], ["a", "b"], ["x", None]) == Plan({"a": ["x"]}, new=1, kept=0, unmatched=1, conflicts=())


def test_what_is_right_already_is_left() -> None:
    assert plan(["a"], ["x"], ["x"]) == Plan({}, new=0, kept=1, unmatched=0, conflicts=())


def test_all_copies_of_a_message_are_named() -> None:
    assert plan(["a", "b", "a"], ["a", "b", "a-2"], [None, None, "x"]).ids_by_key == {"a": ["a", "x"]}


def test_what_is_no_unique_id_is_not_taken_over() -> None:
    planned = plan(["a", "b"], ["a", "b"], ["with space", "x" * 200])
    assert planned.ids_by_key == {}
    assert planned.conflicts == (
        Conflict(1, "with space", Reason.NOT_A_UNIQUE_ID),
        Conflict(2, "x" * 100, Reason.NOT_A_UNIQUE_ID),
    )


def test_the_first_of_two_messages_of_one_id_gets_it() -> None:
    planned = plan(["a", "b"], ["a", "b"], ["x", "x"])
    assert planned.ids_by_key == {"a": ["x"]}
    assert planned.conflicts == (Conflict(2, "x", Reason.GIVEN_TWICE),)


def test_the_id_of_a_message_that_keeps_it_is_not_given_to_another() -> None:
    planned = plan(["a", "b"], ["a", "b"], ["b", None])
    assert planned.ids_by_key == {}
    assert planned.conflicts == (Conflict(1, "b", Reason.ANOTHERS),)


def test_messages_may_change_ids_among_each_other() -> None:
    assert plan(["a", "b"], ["a", "b"], ["b", "a"]).ids_by_key == {"a": ["b"], "b": ["a"]}


def test_who_cannot_change_keeps_what_another_one_wanted() -> None:
    planned = plan(["a", "b", "c"], ["a", "b", "c"], ["b", "c", None])
    assert planned.ids_by_key == {}
    assert [conflict.number for conflict in planned.conflicts] == [1, 2]


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "x", "y", "", None]), min_size=4, max_size=4))
def test_afterwards_all_ids_differ_and_everybody_is_counted(found: list[str | None]) -> None:
    keys = ["a", "b", "c", "d"]
    planned = plan(keys, keys, found)
    after = [planned.ids_by_key.get(key, [key])[0] for key in keys]
    assert len(set(after)) == 4
    assert planned.new + planned.kept + planned.unmatched + len(planned.conflicts) == 4
    assert all(unique_id in {key, old_id} for unique_id, key, old_id in zip(after, keys, found, strict=True))
