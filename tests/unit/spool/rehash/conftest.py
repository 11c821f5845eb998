"""A site to be rehashed."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool import system_calls
from spool.mailbox import MailboxKind
from tests.rehash_sites import RehashSite, disk_of


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncing a file system takes as long as others have written to it."""
    monkeypatch.setattr(system_calls, "sync_file_system", lambda _descriptor: None)


@pytest.fixture
def site(tmp_path: Path) -> RehashSite:
    """A site with a Maildir and an mbox, each with two messages."""
    site = RehashSite(tmp_path / "place").make()
    fill(site)
    return site


@pytest.fixture
def two_disks(tmp_path: Path) -> RehashSite:
    """The same; moving it from ``letter`` to ``first-two`` copies max, who has an mbox, and bob, who has a Maildir."""
    site = RehashSite(tmp_path / "place")
    site.device_of = disk_of(site.root)
    site.make()
    for letter in "bmqnrz":
        (site.root / letter).mkdir()
    fill(site)
    site.add("bob")
    site.deliver("bob", "one", "two")
    return site


def fill(site: RehashSite) -> None:
    site.add("zoe")
    site.add("max", kind=MailboxKind.MBOX)
    for name in ("zoe", "max"):
        site.deliver(name, "one", "two")
