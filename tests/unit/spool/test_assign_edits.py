"""Tests of ``spool.assign_edits``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.assign import AssignRecord, parse_assign
from spool.assign_edits import AssignText, TakenExtension, taken_extensions
from spool.names import UserName

FILE = Path("control/assign")
TEXT = (
    b"=joe:joe:0507:100:/home/joe:::kept as it is\n"
    b"+joe-:joe:507:100:/home/joe:-::\n"
    b"=Postmaster:joe:507:100:/home/joe:-:post:\n"
    b"=ann:ann:508:100:/home/ann:::\n"
    b".\n"
    b"notes\n"
)
JOE, ANN, BOB = UserName("joe"), UserName("ann"), UserName("bob")


def parsed(text: bytes = TEXT) -> AssignText:
    return AssignText.parse(text, file=FILE)


def taken(new: str, users: list[str], break_character: str = "-") -> list[TakenExtension]:
    return list(taken_extensions(UserName(new), users, break_character=break_character))


def test_a_name_has_the_record_of_its_exact_assignment() -> None:
    assert parsed().assigned(UserName("postmaster")) == AssignRecord("joe", 507, 100, Path("/home/joe"), "-", "post")


def test_a_name_that_only_a_wildcard_takes_is_not_assigned() -> None:
    assert parsed().assigned(UserName("joe-list")) is None


def test_users_are_those_assigned_to_themselves() -> None:
    assert parsed().users() == {"joe", "ann"}


def test_an_added_user_comes_last_and_nothing_else_changes() -> None:
    added = parsed().with_user(BOB, AssignRecord("bob", 509, 100, Path("/home/bob")), break_character="+")
    assert added.text == TEXT.replace(
        b".\nnotes", b"=bob:bob:509:100:/home/bob:::\n+bob+:bob:509:100:/home/bob:-::\n.\nnotes"
    )
    assert added.lines == parse_assign(added.text, file=FILE)


def test_a_removed_user_loses_aliases_and_wildcards_too_and_nothing_else_changes() -> None:
    removed = parsed().without_user(JOE)
    assert removed.text == b"=ann:ann:508:100:/home/ann:::\n.\nnotes\n"
    assert removed.lines == parse_assign(removed.text, file=FILE)


def test_the_first_user_is_added_to_an_empty_text() -> None:
    added = parsed(b".\n").with_user(ANN, AssignRecord("ann", 1, 2, Path("/a")), break_character="-")
    assert added.text == b"=ann:ann:1:2:/a:::\n+ann-:ann:1:2:/a:-::\n.\n"


@pytest.mark.parametrize("users", [[], ["yasuhiro", "a", "-a"], ["yasuhi"]])
def test_a_name_of_its_own_takes_nothing(users: list[str]) -> None:
    assert taken("yasuhi", users) == []


def test_a_longer_name_takes_an_extension_from_the_shorter() -> None:
    yasuhi, yasuhi_a = UserName("yasuhi"), UserName("yasuhi-a")
    assert taken("yasuhi-a", ["yasuhi"]) == [TakenExtension(yasuhi, "a", yasuhi_a)]


def test_a_shorter_name_cannot_have_what_the_longer_ones_hold() -> None:
    assert [each.extension for each in taken("yasuhi", ["yasuhi-a", "yasuhi-b-c", "yasuhi-a-b"])] == ["a", "b-c"]


def test_only_the_longest_owner_misses_an_extension() -> None:
    k, k_chinnen = UserName("k"), UserName("k-chinnen")
    assert taken("k-chinnen-x", ["k", "k-chinnen"]) == [TakenExtension(k_chinnen, "x", UserName("k-chinnen-x"))]
    assert taken("k-chinnen", ["k", "k-chinnen-x"]) == [
        TakenExtension(k, "chinnen", k_chinnen),
        TakenExtension(k_chinnen, "x", UserName("k-chinnen-x")),
    ]


def test_another_break_character_removes_the_conflict() -> None:
    assert taken("yasuhi-a", ["yasuhi"], break_character="+") == []
