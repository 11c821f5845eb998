"""An import that is broken off: run again, every message of the old spool is there once, whatever came in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spool.importing.importer import import_spool
from spool.importing.old_spool import old_layout_named
from spool.importing.options import Emptied, Imported, ImportOptions, Outcome
from spool.mailbox import MailboxKind
from spool.progress import NoProgress
from tests.crash.losing import each_power_cut
from tests.crash.stopping import each_stop, run_in_child
from tests.one_user import on_the_wire
from tests.small_site import SmallSite

FROM = b"From sender@example.org Thu Jan  1 00:00:%02d 2015\n"
EQUAL = b"Subject: equal\n\nthe same\n"
OLD = [b"Subject: one\nStatus: RO\n\n>From the first\n", EQUAL, EQUAL, b"Subject: two\n\nbody\n"]
SHOWN = [on_the_wire(b"Subject: one\n\nFrom the first\n"), *map(on_the_wire, OLD[1:])]
LATER = b"Subject: later\n\ncame between\n"


def mbox_of(*messages: bytes) -> bytes:
    """An mbox whose equal messages have equal From_ lines."""
    return b"".join(FROM % (messages.index(message) + 1) + message + b"\n" for message in messages)


def prepared(directory: Path, kind: MailboxKind, number: int) -> SmallSite:
    directory = directory / str(number)
    site = SmallSite(directory).make().add("ann", kind)
    (directory / "old").mkdir()
    (directory / "old" / "ann").write_bytes(mbox_of(*OLD))
    return site


def import_all(site: SmallSite, *, emptied: Emptied = Emptied.KEEP) -> Imported:
    options = ImportOptions(site.directory / "old", old_layout_named("flat"), emptied=emptied)
    imported = import_spool(site.site, site.settings, options, NoProgress(), uid_min=0)
    assert [user.outcome for user in imported.users] in ([], [Outcome.DONE]), imported
    return imported


def arranged(site: SmallSite) -> Callable[[], object]:
    return partial(import_all, site)


@pytest.fixture
def fresh(tmp_path: Path, kind: MailboxKind) -> Callable[[int], SmallSite]:
    """Makes a site of one user with old mail; the same each time."""
    return partial(prepared, tmp_path, kind)


def test_a_message_is_in_the_old_mbox_or_seen_and_running_again_completes_it(fresh: Callable[[int], SmallSite]) -> None:
    for stopped in each_stop(fresh, arranged):
        site = stopped.state
        seen, old = site.octets("ann"), site.directory / "old" / "ann"
        # What is seen is a part in the right order; where it is not all, it is still in the old mbox.
        assert seen == [octets for octets in SHOWN if octets in seen][: len(seen)], stopped
        assert len(seen) == len(SHOWN) or old.read_bytes() == mbox_of(*OLD), stopped
        import_all(site)
        assert site.octets("ann") == SHOWN, stopped
        assert site.last_accessed("ann") == 1, stopped
        assert old.read_bytes() == b"", stopped


def test_what_is_deleted_after_the_stop_does_not_come_back(fresh: Callable[[int], SmallSite]) -> None:
    for stopped in each_stop(fresh, arranged, step=3):
        site = stopped.state
        seen = site.octets("ann")
        site.session("ann", deleted=set(range(1, len(seen) + 1)))
        import_all(site)
        assert sorted(seen + site.octets("ann")) == sorted(SHOWN), stopped


def test_mail_that_comes_after_the_stop_is_there_once(fresh: Callable[[int], SmallSite]) -> None:
    for stopped in each_stop(fresh, arranged, step=3):
        site = stopped.state
        with (site.directory / "old" / "ann").open("ab") as old:
            old.write(FROM % 30 + LATER + b"\n")
        site.deliver("ann", b"Subject: delivered\n\n")
        import_all(site)
        expected = [*SHOWN, on_the_wire(LATER), on_the_wire(b"Subject: delivered\n\n")]
        assert sorted(site.octets("ann")) == sorted(expected), stopped


def test_stopping_twice_loses_and_doubles_nothing(fresh: Callable[[int], SmallSite]) -> None:
    for first in (10, 20, 30, 40):

        def stopped_once(number: int, first: int = first) -> SmallSite:
            site = fresh(first * 1000 + number)
            run_in_child(partial(arranged, site), first)
            return site

        for stopped in each_stop(stopped_once, arranged, step=5):
            import_all(stopped.state)
            assert stopped.state.octets("ann") == SHOWN, (first, stopped)


def test_a_power_cut_loses_and_doubles_nothing(fresh: Callable[[int], SmallSite]) -> None:
    for cut in each_power_cut(fresh, arranged, root=lambda site: site.directory, step=7):
        import_all(cut.state)
        assert cut.state.octets("ann") == SHOWN, cut


@pytest.mark.parametrize("emptied", [Emptied.REMOVE, Emptied.LINK])
def test_putting_the_old_mbox_aside_can_be_stopped_anywhere(tmp_path: Path, emptied: Emptied) -> None:
    def operation(site: SmallSite) -> Callable[[], object]:
        import_all(site)
        return partial(import_all, site, emptied=emptied)

    for stopped in each_stop(partial(prepared, tmp_path, MailboxKind.MBOX), operation):
        site = stopped.state
        import_all(site, emptied=emptied)
        old = site.directory / "old" / "ann"
        assert site.octets("ann") == SHOWN, stopped
        if emptied is Emptied.LINK:
            assert old.readlink() == site.location("ann").path, stopped
        else:
            assert not old.exists(), stopped
