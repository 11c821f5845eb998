"""Tests of ``spool.checking.checker``: a site with one thing broken, and what is said and done about it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spool import durable
from spool.assign import AssignRecord
from spool.checking import checker, kinds
from spool.checking.changes import MakeDirectory
from spool.checking.checker import Wanted, check_spool
from spool.checking.findings import Finding
from spool.checking.homes import open_home
from spool.checking.kinds import KINDS, Severity
from spool.checking.mending import Mender
from spool.checking.repairing import Outcome
from spool.checking.undoing import Undone
from spool.checking.view import Home, View
from spool.errors import MaintenanceBusyError, NoSuchUserError
from spool.mailbox import Envelope
from spool.maintenance import maintenance
from spool.names import UserName
from spool.progress import NoProgress
from tests.unit.spool.checking.breakages import BREAKAGES, Breakage
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import MadeSite

ANN = UserName("ann")

each_breakage = pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=list(BREAKAGES))


def broken(made: MadeSite, breakage: Breakage) -> MadeSite:
    breakage.make(made)
    return made


def test_a_healthy_site_gives_no_finding(made: MadeSite) -> None:
    told, summary = made.check(deep=True)
    assert told == []
    assert summary.users == 2
    assert not summary.needs_person


@each_breakage
def test_what_is_broken_is_found_and_nothing_else(made: MadeSite, breakage: Breakage) -> None:
    before = broken(made, breakage).everything()
    assert set(made.kinds(deep=breakage.deep)) == {breakage.kind} | breakage.also
    assert made.everything() == before


@each_breakage
def test_what_can_be_mended_is_mended_and_can_be_undone(made: MadeSite, breakage: Breakage) -> None:
    before = broken(made, breakage).everything()
    told, summary = made.check(repair=True, deep=breakage.deep)
    seen = {(each.outcome, each.finding.severity) for each in told}
    if not breakage.mended:
        assert seen <= {(Outcome.FOUND, Severity.NOTE), (Outcome.FOUND, Severity.PERSON)}
        assert made.everything() == before
        assert summary.undo_record is None
        return
    assert seen == {(Outcome.MENDED, Severity.MENDABLE)}
    assert made.kinds(deep=True) == []
    assert made.outcomes(summary.undo_record) == {Undone.UNDONE}
    assert made.everything() == before
    assert made.outcomes(summary.undo_record) == {Undone.AS_BEFORE}
    assert set(made.kinds(deep=breakage.deep)) == {breakage.kind}


def test_every_kind_of_finding_is_broken_somewhere_in_the_tests() -> None:
    elsewhere = {
        *("users-unknown", "layout-differs", "account-differs", "owned-by-root", "not-looked-at", "journal-open"),
        *("network-file-system", "other-file-system", "disk-nearly-full"),
    }
    assert {kind.name for kind in KINDS} - {breakage.kind for breakage in BREAKAGES.values()} == elsewhere


# -- what is asked for ------------------------------------------------------------------------------------------------


def test_only_the_homes_that_are_asked_for_are_checked(made: MadeSite) -> None:
    BREAKAGES["no cur"].make(made)
    BREAKAGES["a secret is readable"].make(made)
    BREAKAGES["a torn mbox"].make(made)
    assert made.kinds(users=(ANN,)) == ["part-missing"]
    assert made.kinds(users=(UserName("bob"), ANN)) == ["mbox-torn", "part-missing"]


def test_asking_for_nobody_is_an_error(made: MadeSite) -> None:
    with pytest.raises(NoSuchUserError):
        made.check(users=(UserName("joe"),))


def test_progress_is_told(made: MadeSite) -> None:
    seen: list[tuple[str, int | None]] = []

    class Told(NoProgress):
        def begin(self, what: str, total: int | None) -> None:
            seen.append((what, total))

    check_spool(made.site, made.settings, Wanted(), lambda _: None, progress=Told())
    assert seen == [("users", 2), ("entries below the spool root", None)]


def test_one_repair_runs_at_a_time_and_looking_needs_no_turn(made: MadeSite) -> None:
    with maintenance(made.site):
        with pytest.raises(MaintenanceBusyError):
            made.check(repair=True)
        assert made.kinds() == []


# -- trouble ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_mended_is_told_and_the_others_are(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKAGES["no cur"].make(made)
    BREAKAGES["a secret is readable"].make(made)

    make_directory = durable.make_directory

    def full(path: Path, **attributes: Any) -> None:
        if path.name == "cur":
            raise OSError(errno.ENOSPC, "No space left on device")
        make_directory(path, **attributes)

    monkeypatch.setattr(durable, "make_directory", full)
    told, summary = made.check(repair=True)
    assert {each.finding.kind.name: each.outcome for each in told} == {
        "part-missing": Outcome.FAILED,
        "secret-exposed": Outcome.MENDED,
    }
    assert [each.reason for each in told if each.reason] == ["[Errno 28] No space left on device"]
    assert summary.needs_person


def test_a_finding_that_vanishes_before_it_is_mended_is_no_error(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    BREAKAGES["no cur"].make(made)
    make = Mender.make

    def somebody_else_first(self: Mender, change: MakeDirectory) -> bool:
        change.place.path.mkdir()
        return make(self, change)

    monkeypatch.setattr(Mender, "make", somebody_else_first)
    (told,), summary = made.check(repair=True)
    assert told.outcome is Outcome.GONE
    assert (summary.needs_person, summary.undo_record) == (False, None)


def test_trouble_with_one_home_does_not_keep_the_others_from_being_checked(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    BREAKAGES["a torn mbox"].make(made)
    deny(monkeypatch, "Maildir", error=errno.EIO)
    assert made.kinds() == ["not-looked-at", "mbox-torn"]


def test_what_only_the_second_look_sees_is_no_finding_yet(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(["first", "second"])

    def check(view: View) -> Iterator[Finding]:
        if next(looks) == "second":
            yield Finding(kinds.SITE_WRITABLE, made.site.assign)
        yield Finding(kinds.SITE_WRITABLE, made.site.locals)

    monkeypatch.setattr(checker, "SITE_CHECKS", (check,))
    told, _ = made.check()
    assert [each.finding.path for each in told] == [made.site.locals]


# -- a site in use ----------------------------------------------------------------------------------------------------


def test_a_user_who_is_removed_or_moved_meanwhile_is_no_finding(
    made: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_first(user: UserName, record: AssignRecord, view: View) -> Home | Finding:
        if user == ANN:
            made.roster.remove_user(ANN, purge=True)
        return open_home(user, record, view)

    monkeypatch.setattr(checker, "open_home", change_first)
    assert made.kinds() == []


def alarms(made: MadeSite) -> list[Finding]:
    """What is found, but that root delivered here: a site's own processes leave nothing that is root's."""
    told, _ = made.check(deep=True)
    return [each.finding for each in told if each.finding.kind is not kinds.OWNED_BY_ROOT]


def test_a_site_with_an_open_session_and_a_delivery_under_way_gives_no_finding(made: MadeSite) -> None:
    maildrops = [made.mailbox(name).open_maildrop() for name in ("ann", "bob")]

    def slow_message() -> Iterator[bytes]:
        yield b"Subject: slow\n\n"
        assert alarms(made) == []
        yield b"the end\n"

    made.mailbox("ann").deliver(slow_message(), Envelope(None))
    for maildrop in maildrops:
        maildrop.commit(deleted={1}, retrieved={2})
        assert alarms(made) == []
        maildrop.close()


def test_a_site_in_full_use_gives_no_finding(made: MadeSite) -> None:
    stop = threading.Event()

    def use() -> None:
        for number in count():
            if stop.is_set():
                return
            for name in ("ann", "bob"):
                made.deliver(name, number)
                maildrop = made.mailbox(name).open_maildrop()
                maildrop.commit(deleted={1} if number > 3 else set(), retrieved={2})
                maildrop.close()
            if number % 3 == 0:
                home = made.add("joe")
                made.roster.remove_user(UserName("joe"), purge=True)
                assert not home.exists()

    user = threading.Thread(target=use)
    user.start()
    try:
        found = [finding for _ in range(30) for finding in alarms(made)]
    finally:
        stop.set()
        user.join()
    assert found == []


# -- combinations -----------------------------------------------------------------------------------------------------

APART: Final = (
    *("a secret is readable", "assign is writable", "a leftover of assign", "a link at an old place"),
    *("a file among the homes", "a link to another home", "a home others write in", "our own files for all"),
    *(
        "no cur",
        "an old file in tmp",
        "a damaged maildirsize",
        "a torn mbox",
        "an old dot-lock",
        "an old lock leftover",
    ),
    *("a journal of somebody else", "unique-ids of somebody else", "an index of somebody else", "a leftover of ours"),
)
"""Breakages that do not get in each other's way."""


@settings(max_examples=15)
@given(names=st.sets(st.sampled_from(APART), min_size=2))
def test_whatever_is_broken_together_is_found_mended_and_undone(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    made = MadeSite(tmp_path_factory.mktemp("site")).make()
    broken = [BREAKAGES[name] for name in sorted(names)]
    for breakage in broken:
        breakage.make(made)
    before = made.everything()
    assert sorted(made.kinds()) == sorted(breakage.kind for breakage in broken)
    _, summary = made.check(repair=True)
    assert sorted(made.kinds()) == sorted(breakage.kind for breakage in broken if not breakage.mended)
    if summary.undo_record is not None:
        assert made.outcomes(summary.undo_record) == {Undone.UNDONE}
    assert made.everything() == before
