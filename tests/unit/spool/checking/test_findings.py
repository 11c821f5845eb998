"""Tests of ``spool.checking.findings``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from spool.checking import kinds
from spool.checking.changes import SetOwner
from spool.checking.findings import Finding, mode_findings, owner_findings
from spool.checking.kinds import Severity
from spool.checking.places import Place

PLACE = Place(Path("/mail"), ("ann",), 20001)


def status(mode: int = stat.S_IFREG | 0o600, uid: int = 0, links: int = 1) -> os.stat_result:
    return os.stat_result((mode, 5, 6, links, uid, 7, 0, 0, 0, 0))


def test_what_is_roots_is_given_to_the_user() -> None:
    (finding,) = owner_findings(PLACE, status(), (20001, 20002), None)
    (change,) = finding.changes
    assert isinstance(change, SetOwner)
    assert (change.before, change.after) == ((0, 7), (20001, 20002))
    assert finding.severity is Severity.MENDABLE


def test_what_is_roots_and_has_a_second_name_needs_a_person() -> None:
    (finding,) = owner_findings(PLACE, status(links=2), (20001, 20002), None)
    assert (finding.kind, finding.severity) == (kinds.OWNED_BY_ROOT, Severity.PERSON)


def test_what_is_roots_where_another_may_have_put_it_needs_a_person() -> None:
    (finding,) = owner_findings(PLACE, status(), (20001, 20002), None, may_give=False)
    assert finding.severity is Severity.PERSON


def test_what_is_another_users_needs_a_person() -> None:
    (finding,) = owner_findings(PLACE, status(uid=20003), (20001, 20002), None)
    assert (finding.kind, finding.detail) == (kinds.OWNED_BY_OTHER, "expected uid 20001, found 20003")


def test_a_directory_may_have_many_names() -> None:
    (finding,) = mode_findings(PLACE, status(stat.S_IFDIR | 0o500, links=7), None, needed=0o700)
    assert finding.severity is Severity.MENDABLE


def test_the_mode_of_a_file_with_a_second_name_is_left_alone() -> None:
    findings = list(mode_findings(PLACE, status(stat.S_IFREG | 0o404, links=2), None, needed=0o600, forbidden=0o007))
    assert [(each.kind, each.changes) for each in findings] == [(kinds.MODE_TOO_NARROW, ()), (kinds.MODE_TOO_OPEN, ())]


def test_a_note_stays_a_note() -> None:
    assert Finding(kinds.HOME_SHARED, Path("/mail/ann")).severity is Severity.NOTE
