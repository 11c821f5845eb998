"""A rehash of homes of many uids while mail comes, and is read."""

from __future__ import annotations

import itertools
import smtplib
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import pytest

from spool.mailbox import MailboxKind
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.wire import Wire
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

USERS: Final = tuple(f"{letter}{letter}{number}" for letter in "abcd" for number in range(6))
READER: Final = USERS[0]
BUSY: Final = 5
"""Exit status: some mailboxes are busy."""


@pytest.fixture
def site() -> Iterator[LiveSite]:
    """Users with Maildirs and mboxes, in turn, of their own uids."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        settings = ("workers.count=2", "auth.schemes=PLAIN", "spool.layout=letter", "rehash.link_seconds=1")
        live.init(*(word for setting in settings for word in ("--set", setting)), lmtp=True)
        kinds = itertools.cycle(MailboxKind)
        users = [replace(new_user(user, number, live), kind=next(kinds)) for number, user in enumerate(USERS)]
        add_users(live, users)
        live.start()
        yield live
        assert live.stop() == 0


def send(site: LiveSite, user: str, number: int) -> bool:
    """Send a message; whether it was taken. A later try may be asked for, a bounce never."""
    with smtplib.LMTP("localhost", site.port("lmtp")) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("sender@example.org")
        code, text = client.rcpt(user)
        if code == 250:
            code, text = client.data(b"Subject: %d\r\n\r\nbody\r\n" % number)
    assert code == 250 or 400 <= code < 500, text
    return code == 250


def send_to_all(site: LiveSite, ended: threading.Event) -> Counter[str]:
    """Send to all users in turn, until it is enough, and once more; how many messages each has got."""
    taken: Counter[str] = Counter()
    number, last = 0, False
    while not last:
        last = ended.is_set()
        for user in USERS:
            number += 1
            taken[user] += send(site, user, number)
    return taken


@pytest.mark.root
def test_mail_comes_and_is_read_while_homes_of_many_uids_are_moved(site: LiveSite) -> None:
    before = {user: home_of(site, user) for user in USERS}
    assert send(site, READER, 0)
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(send_to_all, site, ended)
        try:
            with Wire(site.addresses["pop3"]) as wire:
                assert wire.login(READER).startswith(b"+OK")
                seen = wire.look().messages
                site.run("spool-rehash", "run", "--to", "first-two", ok=(BUSY,))
                assert wire.look().messages == seen
                wire.ok("QUIT")
            assert home_of(site, READER) == before[READER]
            # Whoever delivers to a mailbox, or reads it, while it is moved is put off, too.
            while site.run("spool-rehash", "run", "--to", "first-two", ok=(0, BUSY)).returncode == BUSY:
                pass
        finally:
            ended.set()
    counts = taken.result()
    counts[READER] += 1
    assert all(counts[user] for user in USERS)
    for number, user in enumerate(USERS):
        home = home_of(site, user)
        assert home.parts[-3:] == (user[0], user[1], user)
        assert {path.lstat().st_uid for path in (home, *home.rglob("*"))} == {FIRST_UID + number}
        with Wire(site.addresses["pop3"]) as wire:
            assert wire.login(user).startswith(b"+OK")
            assert len(wire.look().messages) == counts[user]
            wire.ok("QUIT")
    assert not [home for home in before.values() if home.is_symlink()]
    site.run("spool-rehash", "verify")
    site.run("spool-check")
