"""Tests of ``spool.checking.homes``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spool.checking.homes import open_home
from spool.checking.view import Account
from spool.names import UserName
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import UID, MadeSite
from tests.unit.spool.checking.views import view_of


def test_a_home_of_ours_without_rights_gets_them(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made.home("ann").chmod(0o000)
    monkeypatch.setattr(os, "geteuid", lambda: made.home("ann").lstat().st_uid)
    deny(monkeypatch, made.home("ann"))
    (told,), _ = made.check()
    assert (told.finding.kind.name, told.finding.detail) == ("mode-too-narrow", "mode 0000 lacks 0700")


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
def test_a_home_that_cannot_be_opened_is_told(made: MadeSite, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    deny(monkeypatch, made.home("ann"), error=error)
    (told,), summary = made.check()
    assert (told.finding.kind.name, told.finding.detail) == ("not-looked-at", os.strerror(error))
    assert summary.needs_person


def test_a_home_that_cannot_be_gone_through_is_told_once(made: MadeSite) -> None:
    made.home("ann").chmod(0o400)
    assert made.kinds(repair=True) == ["mode-too-narrow"]
    assert made.kinds() == []


def test_a_home_of_ours_with_all_rights_and_no_access_is_told(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: UID)
    deny(monkeypatch, made.home("ann"))
    assert made.kinds() == ["not-looked-at"]


def test_a_home_that_cannot_even_be_looked_at_is_told(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    record = made.roster.describe(UserName("ann")).record
    deny(monkeypatch, record.home)
    record.home.rename(made.directory / "elsewhere")
    finding = open_home(UserName("ann"), record, view_of(made))
    assert finding.kind.name == "not-looked-at"  # type: ignore[union-attr]


def test_trouble_with_a_mailbox_closes_the_home(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    record = made.roster.describe(UserName("ann")).record
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("spool.checking.homes.Home", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_home(UserName("ann"), record, view_of(made))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_without_a_template_there_is_no_link(made: MadeSite) -> None:
    made.changed_settings["home_link"] = None
    assert made.kinds() == []


def test_a_home_is_no_link_to_itself(made: MadeSite) -> None:
    made.changed_settings["home_link"] = str(made.directory / "{user}")
    made.add("joe", home=made.directory / "joe")
    made.give_homes()
    assert {told.finding.user for told in made.check()[0]} == {UserName("ann"), UserName("bob")}


def accounts(uid: int, home: Path) -> dict[str, Account]:
    return {"ann": Account(uid, home)}


def test_getpw_that_agrees_is_no_finding(made: MadeSite) -> None:
    assert made.kinds(account_of=accounts(UID, made.directory / "links" / "ann").get) == []


def test_getpw_that_tells_another_home_is_noted(made: MadeSite) -> None:
    for home in (made.directory, made.directory / "nowhere"):
        (told,), summary = made.check(account_of=accounts(UID, home).get)
        assert (told.finding.kind.name, told.finding.detail) == ("account-differs", f"home {home}")
        assert not summary.needs_person


def test_getpw_that_tells_another_uid_is_noted(made: MadeSite) -> None:
    (told,), _ = made.check(account_of=accounts(UID + 1, made.home("ann")).get)
    assert told.finding.detail == f"uid {UID + 1}, not {UID}"
