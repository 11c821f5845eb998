"""Tests of ``spool.rehash.verifying``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.mailbox import MailboxLocation
from spool.names import UserName
from spool.progress import NoProgress
from spool.rehash import verifying
from spool.rehash.directories import HashDirectories
from spool.rehash.moves import RehashError
from spool.rehash.planning import Planner, Wanted
from spool.rehash.verifying import Verified, record_mailboxes, verify
from tests.rehash_sites import RehashSite


def record(site: RehashSite) -> int:
    plan = Planner(site.site, site.settings, HashDirectories(site.root)).plan(Wanted("first-two"), NoProgress())
    return record_mailboxes(site.site, site.settings, plan.moves, site.means, NoProgress())


def verified(site: RehashSite, *users: str) -> Verified:
    return verify(site.site, site.settings, frozenset(map(UserName, users)), site.means, NoProgress())


def wrong(site: RehashSite) -> str:
    return "\n".join(trouble.reason for trouble in verified(site).wrong)


def test_every_message_is_compared_with_what_was_recorded(site: RehashSite) -> None:
    assert record(site) == 2
    site.run("first-two")
    site.deliver("zoe", "three")
    maildrop = site.mailbox("max").open_maildrop()
    maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    found = verified(site)
    assert (found.homes, found.compared, found.same, found.gone, found.new) == (2, 2, 3, 1, 1)
    assert found.wrong == []


def test_without_records_homes_are_compared(site: RehashSite) -> None:
    site.run("first-two")
    found = verified(site, "zoe")
    assert (found.homes, found.compared) == (1, 0)


def test_what_cannot_be_read_is_not_recorded(site: RehashSite) -> None:
    (site.root / "r" / "zoe" / "Maildir" / "cur").rmdir()
    assert record(site) == 1


def test_a_message_that_is_another_is_told(site: RehashSite) -> None:
    record(site)
    site.run("first-two")
    (message, *_) = (site.root / "z" / "o" / "zoe" / "Maildir" / "new").iterdir()
    message.write_text(message.read_text().swapcase())
    assert "is another one than before" in wrong(site)


def test_another_home_is_told(site: RehashSite) -> None:
    site.run("first-two")
    home = site.root / "z" / "o" / "zoe"
    home.rename(home.with_name("aside"))
    assert "No such file" in wrong(site)
    home.mkdir()
    assert "is not the home that was put there" in wrong(site)


def test_another_assignment_is_told(site: RehashSite) -> None:
    site.run("first-two")
    site.add("zoe", home=site.directory / "zoe")
    lines = site.site.assign.read_bytes().splitlines(keepends=True)
    site.site.assign.write_bytes(b"".join(line for line in lines if b"/z/o/zoe" not in line))
    site.add()
    assert "was moved to" in wrong(site)


def test_a_busy_mailbox_is_told(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(location: MailboxLocation, _settings: object) -> None:
        raise MailboxBusyError(str(location.path))

    site.run("first-two")
    monkeypatch.setattr(verifying, "open_mailbox", busy)
    assert len(verified(site).busy) == 2


def test_nothing_is_verified_where_nothing_was_moved(site: RehashSite) -> None:
    with pytest.raises(RehashError, match="nothing was rehashed"):
        verified(site)


def test_records_of_another_kind_are_an_error(site: RehashSite) -> None:
    site.run("first-two")
    (Path(site.site.maintenance) / "rehash-before").write_text("x\n")
    with pytest.raises(MailboxUnavailableError, match="not records of ours"):
        verified(site)
