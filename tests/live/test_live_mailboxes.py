"""While a mailbox is converted to and fro, or filled from an old spool, nothing is lost, doubled or renamed."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from spool.converting.converter import convert_mailboxes
from spool.converting.options import Action, ConvertOptions, Outcome
from spool.importing.importer import import_spool
from spool.importing.old_spool import old_layout_named
from spool.importing.options import ImportOptions
from spool.mailbox import MailboxKind
from spool.mbox.locks import MboxLocks, Timing
from spool.progress import NoProgress
from tests.live.traffic import Traffic, traffic
from tests.small_site import SmallSite

ROUNDS = 4


def settle(site: SmallSite, going_on: Traffic, others: list[bytes]) -> None:
    """See that every message is there once, or was removed once, and had one id all the time."""
    assert going_on.trouble == []
    assert going_on.sessions > 0
    assert sorted(going_on.removed + site.octets("ann")) == sorted(going_on.delivered + others)
    assert {len(ids) for ids in going_on.ids.values()} <= {1}


@pytest.mark.parametrize("templates", [("{home}/Maildir/", "{home}/Mailbox"), ("{home}/Mailbox", "{home}/Maildir/")])
def test_a_mailbox_is_converted_to_and_fro(tmp_path: Path, templates: tuple[str, ...]) -> None:
    site = SmallSite(tmp_path, templates, lock_seconds=5).make().add("ann", MailboxKind.MAILDIR)
    with traffic(site, "ann") as going_on:
        for action in (Action.TO_MBOX, Action.TO_MAILDIR) * (ROUNDS // 2):
            for _ in range(200):
                [user] = convert_mailboxes(
                    site.site, site.settings, ConvertOptions(action), NoProgress(), uid_min=0
                ).users
                assert user.outcome is not Outcome.TROUBLE, user
                if user.outcome is not Outcome.BUSY:
                    break
            assert site.location("ann").kind is action.kind
    convert_mailboxes(site.site, site.settings, ConvertOptions(Action.DISCARD), NoProgress(), uid_min=0)
    settle(site, going_on, [])


@pytest.mark.parametrize("kind", MailboxKind)
def test_an_old_spool_is_imported_while_another_program_delivers_into_it(tmp_path: Path, kind: MailboxKind) -> None:
    site = SmallSite(tmp_path / "site", lock_seconds=5).make().add("ann", kind)
    old = tmp_path / "old"
    old.mkdir()
    written: list[bytes] = []
    ended = threading.Event()

    def deliver_into_old_spool() -> None:
        while not ended.is_set():
            append_as_mail_programs_do(old / "ann", len(written))
            written.append(b"Subject: old %d\r\n\r\n" % len(written))
            ended.wait(0.01)

    program = threading.Thread(target=deliver_into_old_spool)
    options = ImportOptions(old, old_layout_named("flat"))
    with traffic(site, "ann") as going_on:
        program.start()
        for _ in range(ROUNDS):
            import_spool(site.site, site.settings, options, NoProgress(), uid_min=0)
        ended.set()
        program.join()
    imported = import_spool(site.site, site.settings, options, NoProgress(), uid_min=0)
    assert [user.detail for user in imported.users] == [None]
    settle(site, going_on, written)


def append_as_mail_programs_do(mbox: Path, number: int) -> None:
    """Append a message under the locks that mail programs agree on."""
    timing = Timing(time.monotonic, time.sleep, random.random)
    locks = MboxLocks(mbox, os.getuid(), ("fcntl", "dotlock"), 10, 300, timing)
    with locks.held(create=True) as held:
        os.lseek(held.descriptor, 0, os.SEEK_END)
        os.write(held.descriptor, b"From old@example.org Thu Jan  1 00:00:00 2015\nSubject: old %d\n\n\n" % number)
