"""Tests of ``spool.assign_edits``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spool.assign import AssignRecord
from spool.assign_edits import (
    HomeMove,
    TakenExtension,
    taken_extensions,
    with_homes,
    with_user,
    without_user,
)
from spool.assign_text import AssignText
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


def test_an_added_user_comes_last_and_nothing_else_changes() -> None:
    added = with_user(parsed(), BOB, AssignRecord("bob", 509, 100, Path("/home/bob")), break_character="+")
    assert added.text == TEXT.replace(
        b".\nnotes", b"=bob:bob:509:100:/home/bob:::\n+bob+:bob:509:100:/home/bob:-::\n.\nnotes"
    )
    assert added == parsed(added.text)


def test_a_removed_user_loses_aliases_and_wildcards_too_and_nothing_else_changes() -> None:
    removed = without_user(parsed(), JOE)
    assert removed.text == b"=ann:ann:508:100:/home/ann:::\n.\nnotes\n"
    assert removed == replace(parsed(removed.text), plain=False)


def test_the_first_user_is_added_to_an_empty_text() -> None:
    added = with_user(parsed(b".\n"), ANN, AssignRecord("ann", 1, 2, Path("/a")), break_character="-")
    assert added.text == b"=ann:ann:1:2:/a:::\n+ann-:ann:1:2:/a:-::\n.\n"


# -- moved homes ------------------------------------------------------------------------------------------------------


PLAIN = TEXT.replace(b"0507", b"507").replace(b"kept as it is", b"")


@pytest.mark.parametrize("text", [TEXT, PLAIN])
def test_a_moved_home_is_rewritten_in_every_line_of_its_user_and_nothing_else_changes(text: bytes) -> None:
    changed, report = with_homes(parsed(text), {JOE: HomeMove(Path("/home/joe"), Path("/mail/j/joe"))})
    assert changed.text == text.replace(b"/home/joe", b"/mail/j/joe")
    assert changed == parsed(changed.text)
    assert (set(report.moved), set(report.left)) == ({JOE}, set())


def test_a_home_that_is_the_new_one_already_counts_as_moved() -> None:
    changed, report = with_homes(parsed(), {JOE: HomeMove(Path("/mail/j/joe"), Path("/home/joe"))})
    assert (changed.text, set(report.moved)) == (TEXT, {JOE})


def test_a_user_with_another_home_is_left_alone_and_reported() -> None:
    text = TEXT.replace(b"=joe:joe:0507:100:/home/joe", b"=joe:joe:0507:100:/own/joe")
    changed, report = with_homes(parsed(text), {JOE: HomeMove(Path("/home/joe"), Path("/mail/j/joe"))})
    assert (changed.text, set(report.moved), set(report.left)) == (text, set(), {JOE})


def test_who_is_no_user_is_reported() -> None:
    postmaster = UserName("postmaster")
    _, report = with_homes(parsed(), {postmaster: HomeMove(Path("/home/joe"), Path("/mail/j/joe"))})
    assert report.left == {postmaster}


def test_a_line_that_names_the_old_home_in_another_form_is_rewritten() -> None:
    text = TEXT.replace(b":/home/joe:-:post", b"://home/./joe/:-:post").replace(b"//home", b"///home")
    changed, _ = with_homes(parsed(text), {JOE: HomeMove(Path("/home/joe"), Path("/mail/j/joe"))})
    assert changed.text == TEXT.replace(b"/home/joe", b"/mail/j/joe")


@pytest.mark.parametrize("text", [TEXT, PLAIN])
def test_a_line_of_the_user_with_another_home_keeps_it(text: bytes) -> None:
    text = text.replace(b":/home/joe:-:post", b":/home/post:-:post")
    changed, _ = with_homes(parsed(text), {JOE: HomeMove(Path("/home/joe"), Path("/mail/j/joe"))})
    assert changed.text == text.replace(b"/home/joe", b"/mail/j/joe")


@pytest.mark.parametrize("home", ["/mail/a:b", "/mail/a\nb", "/mail/../etc", "mail"])
def test_a_new_home_that_cannot_be_written_is_refused(home: str) -> None:
    with pytest.raises(ValueError, match="is no line of assignments"):
        with_homes(parsed(), {JOE: HomeMove(Path("/home/joe"), Path(home))})


# -- taken extensions -------------------------------------------------------------------------------------------------


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
