"""Tests of ``spool.checking.checker``: a site with one thing broken, and what is said and done about it."""

from __future__ import annotations

import pytest

from spool.checking.kinds import KINDS, Severity
from spool.checking.repairing import Outcome
from spool.checking.undoing import Undone
from tests.unit.spool.checking.breakages import BREAKAGES, Breakage
from tests.unit.spool.checking.made_site import MadeSite

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
