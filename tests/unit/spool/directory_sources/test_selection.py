"""Tests of ``spool.directory_sources.selection``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.directory_sources.accounts import Account, Skipped, SkipReason
from spool.directory_sources.selection import HomeCheck, Selection, selected
from spool.errors import RosterError
from spool.names import DomainName

UID = b"%d" % os.getuid()
ORG, NET = (DomainName("example.org"),), (DomainName("example.net"),)


def ann(home: Path | None = None, uid: bytes | None = b"1") -> Account:
    return Account(1, b"ann", uid, b"1", None if home is None else os.fsencode(home))


def reasons(account: Account, selection: Selection) -> list[SkipReason]:
    taken, left = selected([account], selection)
    assert (b"ann" in taken) is not bool(left)
    return [each.reason for each in left]


def test_accounts_are_taken_in_order_and_what_was_skipped_is_passed_on() -> None:
    bob, skipped = Account(3, b"bob", b"2", b"1", None), Skipped(2, "root", SkipReason.ROOT)
    assert selected([ann(), skipped, bob], Selection()) == ({b"ann": ann(), b"bob": bob}, (skipped,))


def test_accounts_of_the_system_are_not_taken() -> None:
    assert reasons(ann(uid=b"99"), Selection(uid_min=100)) == [SkipReason.SYSTEM]
    assert reasons(ann(uid=b"100"), Selection(uid_min=100)) == []
    assert reasons(ann(uid=None), Selection(uid_min=100)) == []


def test_an_account_named_again_is_in_all_domains() -> None:
    entries = [ann()._replace(domains=ORG), ann()._replace(line=2, domains=NET), ann()._replace(line=3, domains=ORG)]
    taken, left = selected(entries, Selection())
    assert (taken[b"ann"].domains, left) == (ORG + NET, ())


def test_an_account_named_again_with_other_values_is_skipped() -> None:
    taken, left = selected([ann(), ann(uid=b"2")._replace(line=2)], Selection())
    assert (taken[b"ann"].uid, left) == (b"1", (Skipped(2, "ann", SkipReason.REPEATED),))


def test_lists_say_whom_to_take() -> None:
    assert reasons(ann(), Selection(include=frozenset({b"ann"}))) == []
    assert reasons(ann(), Selection(include=frozenset({b"bob"}))) == [SkipReason.NOT_INCLUDED]
    assert reasons(ann(), Selection(exclude=frozenset({b"ann"}))) == [SkipReason.EXCLUDED]


@pytest.mark.parametrize("check", HomeCheck)
def test_a_home_of_the_user_passes(tmp_path: Path, check: HomeCheck) -> None:
    assert reasons(ann(tmp_path, UID), Selection(home_check=check)) == []
    assert reasons(ann(tmp_path, None), Selection(home_check=check)) == []
    assert reasons(ann(), Selection(home_check=check)) == []


@pytest.mark.parametrize("check", [HomeCheck.OWNED, HomeCheck.PRESENT])
def test_a_home_that_is_not_the_users_directory_is_skipped(tmp_path: Path, check: HomeCheck) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    selection = Selection(home_check=check)
    assert reasons(ann(tmp_path, b"%d" % (os.getuid() + 1)), selection) == [SkipReason.HOME_NOT_OWNED]
    assert reasons(ann(tmp_path / "file", UID), selection) == [SkipReason.HOME_NOT_OWNED]
    assert reasons(ann(tmp_path / "link", UID), selection) == [SkipReason.HOME_NOT_OWNED]


def test_a_missing_home_is_skipped_or_stops_everything(tmp_path: Path) -> None:
    account = ann(tmp_path / "none", UID)
    assert reasons(account, Selection(home_check=HomeCheck.OWNED)) == [SkipReason.HOME_MISSING]
    with pytest.raises(RosterError, match="the home of ann is missing; nothing was changed"):
        selected([account], Selection(home_check=HomeCheck.PRESENT))


def test_a_home_that_cannot_be_looked_at_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RosterError, match="Not a directory; nothing was changed"):
        selected([ann(tmp_path / "file" / "home", UID)], Selection(home_check=HomeCheck.OWNED))
