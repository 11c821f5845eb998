from __future__ import annotations

import os
from pathlib import Path

import pytest

from accounts.administration import Administration
from accounts.credentials import Credentials
from accounts.schemes.errors import UnusablePasswordError
from accounts.schemes.verifiers import verify
from spool.errors import NoSuchUserError, RosterError
from spool.names import UserName
from spool.roster import NewUser, Roster
from spool.settings import SpoolSettings
from spool.site import Site

YASUHI = UserName("yasuhi")
# Root may give homes away; others can only have their own.
NEW = NewUser(YASUHI, os.getuid() or 1000, os.getgid() or 1000)


@pytest.fixture
def administration(tmp_path: Path) -> Administration:
    site = Site(tmp_path / "site")
    site.control.mkdir(parents=True)
    site.assign.write_bytes(b".\n")
    site.locals.write_text("example.org\n")
    (tmp_path / "mail").mkdir()
    return Administration(
        Roster(site, SpoolSettings(tmp_path / "mail")),
        Credentials.in_directory(site.control),
        ("SSHA", "SCRAM-SHA-256"),
    )


def fits(administration: Administration, password: bytes) -> list[bool]:
    return [verify(verifier, password) for verifier in administration.credentials.passwd.verifiers(YASUHI)]


def test_a_user_gets_a_verifier_for_each_scheme(administration: Administration) -> None:
    administration.add_user(NEW, b"pencil")
    assert fits(administration, b"pencil") == [True, True]
    assert administration.credentials.apop.secret(YASUHI) is None


def test_the_same_password_may_be_the_apop_secret(administration: Administration) -> None:
    administration.add_user(NEW, b"pencil", apop=True)
    assert administration.credentials.apop.secret(YASUHI) == b"pencil"


def test_a_user_without_a_password_has_no_credentials_not_even_old_ones(administration: Administration) -> None:
    administration.credentials.passwd.set_verifiers(YASUHI, ["{PLAIN}old"])
    administration.add_user(NEW, None)
    assert fits(administration, b"old") == []


def test_a_taken_name_keeps_its_password(administration: Administration) -> None:
    administration.add_user(NEW, b"pencil")
    with pytest.raises(RosterError):
        administration.add_user(NEW, b"other")
    assert fits(administration, b"pencil") == [True, True]


def test_a_password_nobody_can_use_makes_no_user(administration: Administration) -> None:
    with pytest.raises(UnusablePasswordError):
        administration.add_user(NEW, b"")
    administration.add_user(NEW, b"pencil")
    assert [user for user, _ in administration.roster.users()] == [YASUHI]


def test_removing_takes_user_and_credentials(administration: Administration) -> None:
    administration.add_user(NEW, b"pencil", apop=True)
    administration.remove_user(YASUHI)
    assert fits(administration, b"pencil") == []
    assert administration.credentials.apop.secret(YASUHI) is None
    with pytest.raises(NoSuchUserError):
        administration.remove_user(YASUHI)


@pytest.mark.parametrize(("before", "asked", "after"), [(True, None, True), (False, None, False), (True, False, False)])
def test_a_new_password_replaces_every_old_one(
    administration: Administration, before: bool, asked: bool | None, after: bool
) -> None:
    administration.add_user(NEW, b"pencil", apop=before)
    administration.set_password(YASUHI, b"better", apop=asked)
    assert fits(administration, b"better") == [True, True]
    assert administration.credentials.apop.secret(YASUHI) == (b"better" if after else None)


def test_nobody_gets_no_password(administration: Administration) -> None:
    administration.add_user(NEW, b"pencil")
    with pytest.raises(NoSuchUserError):
        administration.set_password(UserName("nobody"), b"x")
