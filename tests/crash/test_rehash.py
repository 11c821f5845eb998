"""A rehash that is stopped, or whose power is cut: nobody is ever without a mailbox, and the next run does the rest."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spool.layouts import layout_named
from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.rehash.journal import Journal
from tests.crash.losing import each_power_cut
from tests.crash.stopping import each_stop
from tests.one_user import Message
from tests.rehash_sites import INBOXES, RehashSite, disk_of

OUTSIDE = "/out/{hash}/{user}"


@dataclass(frozen=True)
class Given:
    """A site as it was before a rehash, kept to be put in its place again and again."""

    site: RehashSite
    original: Path
    homes: Mapping[str, Path]
    messages: Mapping[str, list[Message]]

    def fresh(self, _number: int = 0) -> RehashSite:
        put_in_place(self.original, self.site.directory)
        return replace(self.site, clock=type(self.site.clock)())


def put_in_place(original: Path, place: Path) -> None:
    """Copy a tree with its links, those included that are second names of files."""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run(["cp", "-a", original, place], check=True)


def given(directory: Path, *, layout: str, outside: bool = False, disks: bool = False) -> Given:
    """A site with a user of each kind; with ``disks`` there are two, see ``tests.rehash_sites.disk_of``."""
    place = directory / "place"
    maildrop = (f"{place}{OUTSIDE}",) if outside else INBOXES
    site = RehashSite(place, maildrop=maildrop)
    if disks:
        site.device_of = disk_of(site.root)
    site.make(layout, home_link=f"{place}/links/{{user}}")
    if disks:
        for letter in "mrz":
            (site.root / letter).mkdir()
    (place / "links").mkdir()
    (place / "out").mkdir()
    site.add("zoe")
    site.add("max", kind=MailboxKind.MBOX)
    for name in ("zoe", "max"):
        site.deliver(name, "one", "two")
    homes = {name: record.home for name, record in site.records().items()}
    before = Given(site, directory / "original", homes, site.all_messages())
    place.rename(before.original)
    before.fresh()
    return before


class WaitingError(Exception):
    """The links would have to wait now."""


def until_waiting(operation: Callable[[RehashSite], Any]) -> Callable[[RehashSite], Callable[[], None]]:
    """Arrange an operation that ends when it comes to wait for the time of links."""

    def arrange(site: RehashSite) -> Callable[[], None]:
        def wait(seconds: float) -> None:
            raise WaitingError(seconds)

        site.clock.sleep = wait  # type: ignore[method-assign]

        def run() -> None:
            try:
                operation(site)
            except WaitingError:
                return

        return run

    return arrange


def check_all_find_all(before: Given, site: RehashSite, *, also_at: Mapping[str, Path] | None = None) -> None:
    """See that each mailbox is whole for who looks it up now, and for who has looked it up before."""
    for name, record in site.records().items():
        for home in {record.home, *([also_at[name]] if also_at else [])}:
            assert site.messages(name, home) == before.messages[name], (name, home)


def check_done(before: Given, site: RehashSite, to: str) -> None:
    assert site.all_messages() == before.messages
    assert {record.home.relative_to(site.root) for record in site.records().values()} == {
        path.relative_to(site.root) for path in homes_under(site, to)
    }
    assert site.links() == []
    assert site.settings.layout == to
    for name, record in site.records().items():
        assert (site.directory / "links" / name).readlink() == record.home
    mboxes = [path for path in (site.directory / "out").rglob("*") if path.is_file()]
    assert len(mboxes) == (len(before.homes) if OUTSIDE in site.settings.maildrop[0] else 0)


def homes_under(site: RehashSite, layout: str) -> list[Path]:
    return [layout_named(layout).path(site.root, UserName(name)) for name in site.records()]


def move(site: RehashSite) -> None:
    report = site.run("first-two")
    assert not report.failed
    assert not report.busy


KINDS: Mapping[str, Mapping[str, Any]] = {
    "in homes": {"layout": "letter"},
    "outside of homes": {"layout": "letter", "outside": True},
    "to another disk": {"layout": "letter", "disks": True},
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Given:
    return given(tmp_path, **request.param)


def test_a_stopped_rehash_leaves_each_mailbox_to_be_found_and_is_finished_by_the_next(before: Given) -> None:
    for stopped in each_stop(before.fresh, until_waiting(move)):
        site = stopped.state
        check_all_find_all(before, site, also_at=before.homes)
        move(replace(site, clock=type(before.site.clock)()))
        check_done(before, site, "first-two")
        journal = Journal.load(site.site.maintenance)
        assert journal is not None
        assert journal.open is None
        assert not journal.links
        assert len(journal.moved) == len(before.homes)


def test_a_rehash_that_is_stopped_while_it_tidies_up_is_finished_by_the_next(before: Given) -> None:
    for stopped in each_stop(before.fresh, lambda site: partial(move, site), step=3):
        site = stopped.state
        check_all_find_all(before, site)
        move(replace(site, clock=type(before.site.clock)()))
        check_done(before, site, "first-two")


def test_a_replay_that_is_stopped_is_replayed(before: Given) -> None:
    for stopped in each_stop(before.fresh, until_waiting(move), step=17):
        again = before.original.with_name("stopped")
        put_in_place(before.site.directory, again)
        inner = replace(before, original=again)
        for replayed in each_stop(inner.fresh, until_waiting(move), step=5):
            site = replayed.state
            check_all_find_all(before, site, also_at=before.homes)
            move(replace(site, clock=type(before.site.clock)()))
            check_done(before, site, "first-two")
        assert stopped.allowed


def move_back(site: RehashSite) -> None:
    site.clock.sleep(2 * 86400)  # until old homes on another disk may be removed
    report = site.undo()
    assert not report.failed
    assert not report.busy


def test_an_undoing_that_is_stopped_is_finished_by_the_next(before: Given) -> None:
    move(before.fresh())
    moved = replace(before, original=before.original.with_name("moved"))
    before.site.directory.rename(moved.original)
    for stopped in each_stop(moved.fresh, lambda site: partial(move_back, site), step=2):
        site = stopped.state
        check_all_find_all(before, site)
        move_back(replace(site, clock=type(before.site.clock)()))
        check_done(before, site, "letter")
        assert {name: record.home for name, record in site.records().items()} == before.homes


@pytest.mark.parametrize("kind", ["in homes", "outside of homes"])
def test_after_a_power_cut_each_mailbox_is_found_and_the_rehash_is_finished_by_the_next(
    tmp_path: Path, kind: str
) -> None:
    before = given(tmp_path, **KINDS[kind])
    for cut in each_power_cut(before.fresh, until_waiting(move), root=lambda site: site.directory, step=4):
        site = cut.state
        check_all_find_all(before, site, also_at=before.homes)
        move(replace(site, clock=type(before.site.clock)()))
        check_done(before, site, "first-two")


def test_mail_that_comes_late_to_a_copied_home_is_carried_once_however_often_that_is_stopped(tmp_path: Path) -> None:
    before = given(tmp_path, layout="letter", disks=True)
    site = before.fresh()
    with_late = site.mailbox("max")  # who has opened the mailbox before it is moved, and delivers after that
    file = with_late.location.path.open("ab")
    move(site)
    file.write(b"From late@example.org Thu Jan  1 00:00:00 1970\nSubject: late\n\nlate\n\n")
    file.close()
    moved = replace(before, original=before.original.with_name("moved"))
    site.directory.rename(moved.original)
    for stopped in each_stop(moved.fresh, lambda site: partial(tidy_up, site)):
        site = stopped.state
        tidy_up(replace(site, clock=type(before.site.clock)()))
        found = site.messages("max")
        assert found[:2] == before.messages["max"]
        assert [message.octets for message in found[2:]] == [b"Subject: late\r\n\r\nlate\r\n"]
        assert site.messages("zoe") == before.messages["zoe"]
        assert not list(site.root.rglob(".*.rehashed*"))


def tidy_up(site: RehashSite) -> None:
    site.clock.sleep(2 * 86400)
    move(site)
