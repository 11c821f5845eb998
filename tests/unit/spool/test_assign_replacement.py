"""Tests of ``spool.assign_replacement``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool import assign_text
from spool.assign import parse_assign
from spool.assign_replacement import Decision, Owner, Rules, check_dropped, decide, replaced
from spool.assign_text import AssignText
from spool.directory_sources import Account, Additions, Skipped, SkipReason, Subuser
from spool.errors import RosterError

FILE = Path("control/assign")
JOE = b"=joe:joe:1:1:/m/joe:::\n+joe-:joe:1:1:/m/joe:-::\n"
ANN = b"=ann:ann:2:1:/m/ann:::\n+ann-:ann:2:1:/m/ann:-::\n"
ALIAS = b"=Sales:joe:1:1:/m/joe:-:sell:by hand\n"
END = b".\nnotes\n"
NOTHING = Additions()


def accounts(*names: str, uid: bytes | None = None, home: bytes | None = None) -> dict[bytes, Account]:
    return {name.encode(): Account(1, name.encode(), uid, None, home) for name in names}


def rules(**values: Any) -> Rules:
    return Rules(
        **{
            "break_character": b"-",
            "default": lambda: (9, 8),
            "homes_of": lambda accounts: [account.home or b"/m/" + account.name for account in accounts],
            **values,
        }
    )


def taken_over(
    text: bytes,
    named: dict[bytes, Account],
    additions: Additions = NOTHING,
    **values: Any,
) -> tuple[bytes, Decision]:
    assigned = AssignText.parse(text, file=FILE)
    decision = decide(assigned, named, additions, rules(**values))
    after = replaced(assigned, decision, additions, rules(**values))
    assert after == AssignText.parse(after.text, file=FILE) or not after.plain
    return after.text, decision


def reasons(skipped: Iterable[Skipped]) -> list[tuple[str, SkipReason]]:
    return [(each.name, each.reason) for each in skipped]


# -- who -------------------------------------------------------------------------------------------------------------


def test_new_users_come_after_all_others_with_their_wildcards() -> None:
    text, decision = taken_over(JOE + END, accounts("joe", "ann", uid=b"1"))
    assert text == JOE + b"=ann:ann:1:8:/m/ann:::\n+ann-:ann:1:8:/m/ann:-::\n" + END
    assert decision.added == {b"ann": Owner(b"1", b"8", b"/m/ann")}


def test_of_whom_the_directory_says_no_uid_the_default_is_taken() -> None:
    assert taken_over(END, accounts("ann"))[0] == b"=ann:ann:9:8:/m/ann:::\n+ann-:ann:9:8:/m/ann:-::\n" + END


def test_new_users_may_have_no_wildcards() -> None:
    assert taken_over(JOE + END, accounts("joe", "ann"), wildcards=False)[0] == JOE + b"=ann:ann:9:8:/m/ann:::\n" + END


def test_the_break_character_is_the_sites() -> None:
    assert b"\n+ann+:ann:" in taken_over(END, accounts("ann"), break_character=b"+")[0]


def test_who_is_not_named_goes_with_all_lines() -> None:
    text, decision = taken_over(JOE + ALIAS + ANN + END, accounts("ann"))
    assert (text, decision.removed) == (ANN + END, (b"joe",))


def test_who_is_named_keeps_lines_written_by_hand_and_their_octets() -> None:
    text = JOE.replace(b":1:", b":01:", 1) + ALIAS + ANN + END
    assert taken_over(text, accounts("joe", "ann"))[0] == text
    assert taken_over(text, accounts("joe"))[0] == text.replace(ANN, b"")


def test_pieces_without_anybody_who_changes_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assign_text, "PIECE_OCTETS", 1)
    assert taken_over(JOE + ANN + END, accounts("ann"))[0] == ANN + END


def test_a_stored_home_stays_whatever_the_directory_says() -> None:
    text, decision = taken_over(JOE + END, accounts("joe", home=b"/home/joe"))
    assert (text, decision.changed) == (JOE + END, {})


def test_a_changed_uid_is_changed_in_all_lines() -> None:
    text, decision = taken_over(JOE + ALIAS + ANN + END, accounts("joe", uid=b"7") | accounts("ann"))
    assert text == (JOE + ALIAS).replace(b"joe:1:1", b"joe:7:1") + ANN + END
    assert decision.changed == {b"joe": Owner(b"7", b"1", b"/m/joe")}


def test_a_home_is_changed_when_told_to_in_the_lines_that_named_the_old_one() -> None:
    other = b"=joe-x:joe:1:1:/elsewhere:::\n"
    text, _ = taken_over(JOE + other + END, accounts("joe", home=b"/home/joe"), change_homes=True)
    assert text == JOE.replace(b"/m/", b"/home/") + other + END


def test_only_new_users_are_taken_when_told_to() -> None:
    text, decision = taken_over(JOE + END, accounts("ann") | accounts("joe", uid=b"7"), add_only=True)
    assert text.startswith(JOE + b"=ann:")
    assert not decision.removed
    assert not decision.changed
    assert taken_over(JOE + END, accounts("ann"), add_only=True)[1].removed == ()


def test_of_a_users_lines_the_first_says_uid_and_home() -> None:
    _, decision = taken_over(b"=x:joe:3:4:/x:::\n" + JOE + END, accounts("joe"))
    assert decision.stored == {b"joe": Owner(b"3", b"4", b"/x")}


# -- who cannot be taken ----------------------------------------------------------------------------------------------


def test_a_name_that_is_another_users_alias_is_skipped() -> None:
    text, decision = taken_over(JOE + ALIAS + END, accounts("joe", "sales"))
    assert (text, reasons(decision.skipped)) == (JOE + ALIAS + END, [("sales", SkipReason.NAME_ASSIGNED)])


def test_a_name_is_free_when_its_user_goes() -> None:
    assert b"=sales:sales:" in taken_over(JOE + ALIAS + END, accounts("sales"))[0]


@pytest.mark.parametrize("home", [b"/m/joe", b"/m", b"/m/joe/ann", b"/m/joe/x/ann"])
def test_a_home_that_is_holds_or_lies_in_anothers_is_skipped(home: bytes) -> None:
    _, decision = taken_over(JOE + END, accounts("joe") | accounts("ann", home=home))
    assert reasons(decision.skipped) == [("ann", SkipReason.HOME_SHARED)]


def test_new_homes_are_apart_from_each_other_too() -> None:
    named = accounts("ann", home=b"/h/a/b") | accounts("bob", home=b"/h/a") | accounts("cid", home=b"/h/a/b/c")
    _, decision = taken_over(END, named | accounts("dan", home=b"/h/a/d"))
    assert list(decision.added) == [b"ann", b"dan"]


def test_the_home_of_a_user_who_goes_is_free() -> None:
    assert list(taken_over(JOE + END, accounts("joseph", home=b"/m/joe"))[1].added) == [b"joseph"]


def test_a_home_is_not_changed_to_one_that_is_anothers() -> None:
    text, decision = taken_over(JOE + ANN + END, accounts("joe", "ann", home=b"/m/joe"), change_homes=True)
    assert (text, reasons(decision.skipped)) == (JOE + ANN + END, [("ann", SkipReason.HOME_SHARED)])


@pytest.mark.parametrize(("share", "refused"), [(0.0, True), (0.4, True), (0.5, False), (1.0, False)])
def test_too_many_removed_users_are_refused(share: float, refused: bool) -> None:
    _, decision = taken_over(JOE + ANN + END, accounts("ann"))
    if refused:
        with pytest.raises(RosterError, match=r"1 of 2 users would be removed \(joe\), more than the share of"):
            check_dropped(decision, share)
    else:
        check_dropped(decision, share)


def test_of_many_removed_users_some_are_named() -> None:
    text = b"".join(b"=u%d:u%d:1:1:/m/u%d:::\n" % (number, number, number) for number in range(9)) + END
    with pytest.raises(RosterError, match=r"\(u0, u1, u2, u3, u4, …\)"):
        check_dropped(taken_over(text, {})[1], 0.5)


# -- what is added beside them ----------------------------------------------------------------------------------------


def test_mail_names_take_the_place_of_the_users_name() -> None:
    additions = Additions(mail_names={b"ann": (b"a", b"anna"), b"nobody": (b"n",)})
    assert taken_over(END, accounts("ann"), additions, wildcards=False)[0] == (
        b"=a:ann:9:8:/m/ann:::\n=anna:ann:9:8:/m/ann:::\n" + END
    )
    assert b"+anna-:ann:9:8:/m/ann:-::\n" in taken_over(END, accounts("ann"), additions)[0]


def test_subusers_are_extensions() -> None:
    additions = Additions(subusers=(Subuser(b"sales", b"joe", b"sell"),))
    added = b"=sales:joe:1:1:/m/joe:-:sell:\n+sales-:joe:1:1:/m/joe:-:sell-:\n"
    assert taken_over(JOE + END, accounts("joe"), additions)[0] == JOE + added + END
    assert taken_over(JOE + END, accounts("joe"), additions, wildcards=False)[0] == JOE + added[:30] + END


def test_an_addition_takes_the_place_of_a_line_written_by_hand() -> None:
    additions = Additions(subusers=(Subuser(b"sales", b"ann", b"sell"),))
    text, _ = taken_over(JOE + ALIAS + ANN + END, accounts("joe", "ann"), additions, wildcards=False)
    assert text == JOE + ANN + b"=sales:ann:2:1:/m/ann:-:sell:\n" + END


def test_an_addition_does_not_take_another_users_name() -> None:
    additions = Additions(mail_names={b"ann": (b"ann", b"joe")})
    assert taken_over(JOE + ANN + END, accounts("joe", "ann"), additions)[0] == JOE + ANN + END


def test_one_user_gets_what_nobody_else_gets() -> None:
    text, _ = taken_over(JOE + END, accounts("joe"), Additions(catch_all=b"joe"))
    assert text == JOE + b"+:joe:1:1:/m/joe:-::\n" + END


def test_appended_lines_keep_their_users() -> None:
    line = b"=root:alias:3:3:/a:-:root:\n"
    text, decision = taken_over(line + JOE + END, accounts("joe"), Additions(appended=line))
    assert (text, decision.removed) == (JOE + line + END, ())


@pytest.mark.parametrize(
    "additions", [Additions(catch_all=b"nobody"), Additions(subusers=(Subuser(b"sales", b"nobody", b""),))]
)
def test_an_addition_for_nobody_is_an_error(additions: Additions) -> None:
    with pytest.raises(RosterError, match="there is no user nobody"):
        taken_over(JOE + END, accounts("joe"), additions)


def test_an_addition_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(RosterError, match="is no line of assignments"):
        taken_over(JOE + END, accounts("joe"), Additions(mail_names={b"joe": (b"j\n",)}))


# -- properties -------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["ann", "bob", "cid", "dan", "ann-x"])
DIRECTORIES = st.dictionaries(NAMES, st.sampled_from([b"1", b"2", None]), max_size=5).map(
    lambda users: {name.encode(): Account(1, name.encode(), uid, None, None) for name, uid in users.items()}
)


@given(DIRECTORIES, DIRECTORIES)
def test_afterwards_the_users_are_those_of_the_directory_and_once_more_changes_nothing(
    first: dict[bytes, Account], second: dict[bytes, Account]
) -> None:
    before, _ = taken_over(END, first)
    after, decision = taken_over(before, second)
    lines = parse_assign(after, file=FILE)
    assert {line.record.user.encode() for line in lines} == set(second)
    assert len(lines) == 2 * len(second)
    assert dict(decision.owners()) == {
        line.record.user.encode(): Owner(
            b"%d" % line.record.uid, b"%d" % line.record.gid, str(line.record.home).encode()
        )
        for line in lines
    }
    again, unchanged = taken_over(after, second)
    assert (again, unchanged.added, unchanged.changed, unchanged.removed) == (after, {}, {}, ())
