"""Postfix's local(8) with spool-deliver as its mailbox_command: with the service, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.installation import install_for_everybody
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need_program, need_root
from tests.interop.peers import Account, Postfix, postfix
from tests.interop.test_foreign_maildrops import MESSAGES, split_added, wire_form

ADDED: Final = ("Return-Path", "X-Original-To", "Delivered-To", "Received")
WAITING: Final = r"dsn=4\.2\.0, status=deferred \(mail home not available"


@pytest.fixture
def site() -> Iterator[LiveSite]:
    """A site whose one user is the service's own account, which local(8) knows, too."""
    need_program("postfix")
    need_root()
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", lmtp=True)
        live.add_user(recipient(live))
        yield live
        assert live.stop() == 0


@pytest.fixture
def transport(site: LiveSite) -> Iterator[Postfix]:
    program = install_for_everybody(site.directory / "installed")
    command = f'{program} --exit-codes sysexits --site {site.site} --sender="$SENDER" -- "$USER"'
    shown = site.show_user(recipient(site))
    with postfix(
        site.directory / "postfix",
        Account(shown["uid"], shown["gid"]),
        {},
        {},
        settings_more=f"mailbox_command = {command}\n",
    ) as peer:
        yield peer


def recipient(site: LiveSite) -> str:
    assert site.account is not None
    return site.account


def stored(site: LiveSite) -> list[bytes]:
    home = Path(site.show_user(recipient(site))["home"])
    found = (path.read_bytes() for path in (home / "Maildir" / "new").iterdir())
    return sorted(split_added(wire_form(message), ADDED) for message in found)


@pytest.mark.interop
def test_while_the_service_runs_it_takes_the_mail(site: LiveSite, transport: Postfix) -> None:
    site.start()
    for message in MESSAGES:
        transport.deliver(f"{recipient(site)}@local.example", message=message)
    transport.wait_until_delivered()
    assert stored(site) == sorted(map(wire_form, MESSAGES))
    uid = site.show_user(recipient(site))["uid"]
    taken = f"decided: peer=unix:{uid} recipient={recipient(site)} outcome=delivered"
    assert site.read_log().count(taken) == len(MESSAGES)


@pytest.mark.interop
def test_while_it_does_not_run_the_mail_is_delivered_all_the_same(site: LiveSite, transport: Postfix) -> None:
    site.start()
    assert site.stop() == 0
    for message in MESSAGES:
        transport.deliver(f"{recipient(site)}@local.example", message=message)
    transport.wait_until_delivered()
    assert stored(site) == sorted(map(wire_form, MESSAGES))
    assert "decided" not in site.read_log()


@pytest.mark.interop
def test_what_cannot_be_delivered_waits_in_postfix_with_and_without_the_service(
    site: LiveSite, transport: Postfix
) -> None:
    home = Path(site.show_user(recipient(site))["home"])
    away = home.with_name("away")
    home.rename(away)
    site.start()
    transport.deliver(f"{recipient(site)}@local.example", message=MESSAGES[0])
    transport.wait_until_logged(WAITING)
    assert site.stop() == 0
    transport.deliver(f"{recipient(site)}@local.example", message=MESSAGES[1])
    transport.wait_until_logged(f"(?s){WAITING}.*{WAITING}")
    assert transport.deferred() == 2
    assert "status=bounced" not in transport.read_log()
