"""Deliveries and POP sessions of one user, for as long as something else is done to the mailbox."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from spool.errors import MailboxBusyError, MailboxUnavailableError, SpoolError
from tests.one_user import Message
from tests.small_site import SmallSite

_TEMPORARY = (MailboxBusyError, MailboxUnavailableError)


class Traffic:
    """What deliveries have put into the mailbox, and what sessions have seen and removed.

    Attributes:
        delivered: acknowledged messages, by their octets on the wire.
        removed: messages that a session has removed, and said so.
        ids: the unique-id that each message had whenever it was seen.
        trouble: what must not have happened.
    """

    def __init__(self, site: SmallSite, name: str) -> None:
        self._site = site
        self._name = name
        self.delivered: list[bytes] = []
        self.removed: list[bytes] = []
        self.ids: dict[bytes, set[str]] = {}
        self.trouble: list[str] = []
        self.sessions = 0

    def deliver(self) -> None:
        """Deliver one message; a temporary failure makes a sender try again."""
        message = b"Subject: delivered %d\n\n" % len(self.delivered)
        while True:
            try:
                self._site.deliver(self._name, message)
            except _TEMPORARY:
                time.sleep(0.005)
                continue
            self.delivered.append(message.replace(b"\n", b"\r\n"))
            return

    def session(self) -> None:
        """Read everything, and now and then remove the first message; a client that is refused comes again."""
        with contextlib.suppress(*_TEMPORARY):
            messages = self._site.messages(self._name)
            self.sessions += 1
            for message in messages:
                self.ids.setdefault(message.octets, set()).add(message.unique_id)
            if self.sessions % 4 == 0 and messages:
                self._remove(messages[0])

    def _remove(self, message: Message) -> None:
        maildrop = self._site.mailbox(self._name).open_maildrop()
        try:
            number = list(maildrop.unique_ids).index(message.unique_id) + 1
            maildrop.commit(deleted={number}, retrieved=set())
            self.removed.append(message.octets)
        finally:
            maildrop.close()


@contextlib.contextmanager
def traffic(site: SmallSite, name: str) -> Iterator[Traffic]:
    """Have mail delivered and read in threads during the block."""
    going_on = Traffic(site, name)
    ended = threading.Event()

    def again_and_again(action: Callable[[], None]) -> None:
        while not ended.is_set():
            try:
                action()
            except SpoolError as error:
                going_on.trouble.append(repr(error))
            ended.wait(0.02)  # so that there is a moment without a session

    threads = [
        threading.Thread(target=again_and_again, args=(action,)) for action in (going_on.deliver, going_on.session)
    ]
    for thread in threads:
        thread.start()
    try:
        yield going_on
    finally:
        ended.set()
        for thread in threads:
            thread.join()
