"""Quotas and expiry on a site of many uids: figures and mailboxes stay their users', through every program."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.wire import Wire, look_at
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

MESSAGE = b"Subject: x\n\ny\n"
ANN_UID = FIRST_UID + 70


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", "--set", "spool.quota=,3")
        add_users(live, [new_user("ann", 70, live)])
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture
def maildir(site: LiveSite) -> Path:
    """The Maildir of ann, full, with a first message of 20 days."""
    maildir = home_of(site, "ann") / "Maildir"
    for path in (*(maildir / "new").iterdir(), *(maildir / "cur").iterdir(), *maildir.glob("maildirsize")):
        path.unlink()
    for number in range(3):
        path = maildir / "new" / f"{number}.ann"
        path.write_bytes(MESSAGE)
        arrived = time.time() - (20 if number == 0 else 1) * 86400
        os.utime(path, (arrived, arrived))
        os.chown(path, ANN_UID, ANN_UID)
    return maildir


def show(site: LiveSite) -> dict[str, object]:
    (ann,) = json.loads(site.run("spool-quota", "show", "--recalculate", "--json", "ann").stdout)["users"]
    assert isinstance(ann, dict)
    return ann


@pytest.mark.root
def test_a_figure_that_root_counts_is_the_user_s(site: LiveSite, maildir: Path) -> None:
    assert show(site)["share"] == 1.0
    assert (maildir / "maildirsize").stat().st_uid == ANN_UID


@pytest.mark.root
def test_a_session_makes_room_for_a_delivery(site: LiveSite, maildir: Path) -> None:
    site.run("spool-deliver", "ann", stdin=MESSAGE, ok=(111,))
    assert len(look_at(site.addresses["pop3"], "ann").unique_ids) == 3
    with Wire(site.addresses["pop3"]) as wire:
        wire.login("ann")
        wire.ok("DELE 2")
        wire.ok("QUIT")
    site.run("spool-deliver", "ann", stdin=MESSAGE)
    assert show(site)["messages"] == 3


@pytest.mark.root
def test_what_root_expires_leaves_everything_the_user_s(site: LiveSite, maildir: Path) -> None:
    site.run("spool-expire", "--older-than", "10")
    assert show(site)["messages"] == 2
    assert {path.lstat().st_uid for path in home_of(site, "ann").rglob("*")} == {ANN_UID}
