"""Tests of tools.mailspool_user."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.conftest import MadeSite


def shown(site: MadeSite, name: str) -> dict[str, Any]:
    found = site.run("user", "show", name, "--json")
    assert found.status == 0, found
    description: dict[str, Any] = json.loads(found.out)
    return description


def passwords(site: MadeSite) -> dict[str, str]:
    return dict(line.split(":", 1) for line in (site.control / "passwd").read_text().splitlines())


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What somebody types at the two questions for a password."""

    def answers(*words: str) -> None:
        given: Iterator[str] = iter(words)
        monkeypatch.setattr(getpass, "getpass", lambda _: next(given))

    return answers


def test_a_user_is_added_and_shown(site: MadeSite) -> None:
    added = site.add("yasuhi")
    description = shown(site, "yasuhi")
    assert (added.status, added.out) == (0, f"added yasuhi: {description['maildrop']}\n")
    home = Path(description["home"])
    owner = home.stat()
    assert description == {
        "user": "yasuhi",
        "uid": owner.st_uid,
        "gid": owner.st_gid,
        "home": str(site.directory / "spool" / home.parent.name / "yasuhi"),
        "maildrop": f"{home}/Maildir",
        "kind": "maildir",
        "layout": "letter",
        "assign_record": f"=yasuhi:yasuhi:{owner.st_uid}:{owner.st_gid}:{home}:::",
        "domains": None,
        "links": [],
    }
    assert (home / "Maildir" / "new").is_dir()
    assert description["assign_record"] in (site.control / "assign").read_text()
    assert site.run("config", "check").status == 0


def test_a_user_is_shown_to_people_too(site: MadeSite) -> None:
    site.add("yasuhi", "--domain", "example.org", "--domain", "EXAMPLE.net")
    out = site.run("user", "show", "yasuhi").out
    assert "user: yasuhi\n" in out
    assert "domains: example.net, example.org\n" in out


def test_a_user_may_have_an_mbox(site: MadeSite) -> None:
    site.add("fred", "--maildrop", "mbox")
    assert shown(site, "fred")["kind"] == "mbox"


def test_users_are_listed(site: MadeSite) -> None:
    assert site.run("user", "list").out == ""
    site.add("fred")
    site.add("anna")
    assert sorted(site.run("user", "list").out.splitlines()) == ["anna", "fred"]


def test_a_user_may_have_no_password(site: MadeSite) -> None:
    assert site.run("user", "add", "fred", "--no-password").status == 0
    assert passwords(site) == {}


def test_the_same_password_may_be_kept_for_apop(site: MadeSite) -> None:
    site.add("fred", "--apop")
    assert (site.control / "apop").read_text().startswith("fred:")


def test_who_takes_anothers_extension_is_warned_of(site: MadeSite) -> None:
    site.add("yasuhi")
    added = site.add("yasuhi-a")
    assert added.status == 0
    assert added.err.startswith("mailspool: yasuhi-a: warning: yasuhi no longer owns the extension a")


def test_a_password_is_typed_twice(site: MadeSite, typed: Callable[..., None]) -> None:
    typed("secret", "secret")
    assert site.run("user", "add", "fred").status == 0
    assert "fred" in passwords(site)


def test_a_password_is_changed(site: MadeSite) -> None:
    site.add("fred")
    before = passwords(site)["fred"]
    assert site.run("user", "passwd", "fred", "--password-stdin", stdin=b"another\n").status == 0
    assert passwords(site)["fred"] != before


@pytest.mark.parametrize(
    ("answers", "problem"), [(("one", "two"), "the passwords differ"), (("", ""), "the password is empty")]
)
def test_passwords_that_are_no_use_are_refused(
    site: MadeSite, typed: Callable[..., None], answers: tuple[str, ...], problem: str
) -> None:
    typed(*answers)
    refused = site.run("user", "add", "fred")
    assert refused.status == 1
    assert problem in refused.err
    assert site.run("user", "list").out == ""


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("add", "fred", "--no-password", "--uid", "0"), "uid"),
        (("add", "a/b", "--no-password"), "not a user name: 'a/b'"),
        (("add", "fred", "--no-password", "--domain", "elsewhere.example"), "elsewhere.example"),
        (("add", "fred", "--no-password", "--home", "relative"), "relative"),
        (("add", "there", "--no-password"), "there"),
        (("del", "nobody-here"), "nobody-here"),
        (("show", "nobody-here"), "nobody-here"),
        (("passwd", "nobody-here", "--password-stdin"), "nobody-here"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(site: MadeSite, words: tuple[str, ...], problem: str) -> None:
    site.add("there")
    before = (site.control / "assign").read_bytes()
    refused = site.run("user", *words, stdin=b"secret\n")
    assert refused.status == 1
    assert refused.err.startswith("mailspool: ")
    assert refused.err.count("\n") == 1
    assert problem in refused.err
    assert (site.control / "assign").read_bytes() == before


@pytest.mark.parametrize("words", [(), ("add",), ("add", "fred", "--uid", "many"), ("show",), ("rename", "a", "b")])
def test_a_usage_error_is_status_2(site: MadeSite, words: tuple[str, ...]) -> None:
    assert site.runner("mailspool", "user", *words).status == 2


def test_a_removed_user_leaves_the_mail_and_no_credentials(site: MadeSite) -> None:
    site.add("fred", "--apop")
    home = Path(shown(site, "fred")["home"])
    removed = site.run("user", "del", "fred")
    assert (removed.status, removed.out) == (0, f"removed fred; the mail is kept in {home}\n")
    assert (home / "Maildir").is_dir()
    assert site.run("user", "list").out == ""
    assert passwords(site) == {}
    assert (site.control / "apop").read_text() == ""


def test_a_purged_user_leaves_nothing(site: MadeSite) -> None:
    site.add("fred")
    home = Path(shown(site, "fred")["home"])
    purged = site.run("user", "del", "fred", "--purge")
    assert (purged.status, purged.out) == (0, "removed fred and the mail\n")
    assert not home.exists()


def test_a_password_does_not_show(site: MadeSite) -> None:
    added = site.add("fred", password=b"correct horse")
    assert "horse" not in added.out + added.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives homes away")
def test_a_user_may_have_a_uid_of_their_own(site: MadeSite) -> None:
    site.add("fred", "--uid", "20001", "--gid", "20002")
    description = shown(site, "fred")
    home = Path(description["home"]).stat()
    assert (description["uid"], description["gid"]) == (home.st_uid, home.st_gid) == (20001, 20002)
