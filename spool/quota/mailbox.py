"""A mailbox that may hold only so much: it refuses deliveries beyond its limit, and keeps the figure of what it holds.

**Deliveries at once.** Each looks at the figure before it stores its message and adds to it afterwards. So several that
run at the same time may together pass the limit by what they bring; the next one is refused. A delivery that a crash
stops between storing and adding leaves a figure that is too low by its message, until it is counted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

from spool.errors import MailboxChangedError, QuotaExceededError, QuotaExceededForGoodError
from spool.mailbox import Delivered, Envelope, Mailbox, Maildrop, MessageFacts, MessageReader
from spool.quota.limits import Limit
from spool.quota.usage import UsageKeeper
from spool.settings import QuotaFull


class QuotaMailbox:
    """A mailbox with a limit (``spool.mailbox.Mailbox``).

    Args:
        mailbox: the mailbox.
        limit: what it may hold.
        usage: the figure of what it holds.
        full: what a message beyond the limit meets: a temporary or a permanent error.
    """

    def __init__(self, mailbox: Mailbox, limit: Limit, usage: UsageKeeper, *, full: QuotaFull) -> None:
        self.location = mailbox.location
        self._mailbox: Final = mailbox
        self._limit: Final = limit
        self._usage: Final = usage
        self._error: Final = QuotaExceededForGoodError if full == "permanent" else QuotaExceededError

    def deliver(self, message: Iterable[bytes], envelope: Envelope) -> Delivered:
        """Store a message, if there is room for it (``spool.mailbox.Mailbox.deliver``).

        A full mailbox refuses before anything of the message is read; another one as soon as the message is longer
        than the room. Then nothing of it is left.

        Raises:
            QuotaExceededError: there is not enough room.
            SpoolError: it was not delivered.
        """
        room = _Room(self._usage, self._limit)
        delivered = self._mailbox.deliver(self._checked(message, room), envelope)
        self._usage.add(delivered.stored_octets, 1)
        return delivered

    def check_room(self) -> None:
        """See whether there is room for a message at all.

        Raises:
            QuotaExceededError: there is none.
        """
        self._check(_Room(self._usage, self._limit), 0)

    def open_maildrop(self, *, share: bool = False) -> Maildrop:
        """Take the session lock and a snapshot (``spool.mailbox.Mailbox.open_maildrop``)."""
        return QuotaMaildrop(self._mailbox.open_maildrop(share=share), self._usage)

    def _checked(self, message: Iterable[bytes], room: _Room) -> Iterator[bytes]:
        octets = 0
        self._check(room, octets)
        for piece in message:
            octets += len(piece)
            self._check(room, octets)
            yield piece

    def _check(self, room: _Room, octets: int) -> None:
        if not room.admits(octets):
            raise self._error(f"{self.location.path}: no room for a message of {octets} octets: {room}")


class _Room:
    """What may still be stored, as one delivery sees it."""

    def __init__(self, usage: UsageKeeper, limit: Limit) -> None:
        self._usage = usage
        self._limit = limit
        self._used = usage.look()

    def admits(self, octets: int) -> bool:
        """Whether there is room for a message of so many octets; never says no by a figure that may be wrong."""
        if not self._fits(octets) and not self._used.certain:
            self._used = self._usage.count()
        return self._fits(octets)

    def _fits(self, octets: int) -> bool:
        return self._limit.allows(self._used.octets + octets, self._used.messages + 1)

    def __str__(self) -> str:
        return f"{self._used.octets} octets in {self._used.messages} messages of {self._limit}"


class QuotaMaildrop:
    """A session on a mailbox with a limit (``spool.mailbox.Maildrop``): what it removes makes room."""

    def __init__(self, maildrop: Maildrop, usage: UsageKeeper) -> None:
        self._maildrop: Final = maildrop
        self._usage: Final = usage

    @property
    def wire_octets(self) -> Sequence[int]:
        """Size of each message."""
        return self._maildrop.wire_octets

    @property
    def unique_ids(self) -> Sequence[str]:
        """What UIDL shows for each message."""
        return self._maildrop.unique_ids

    @property
    def last_accessed(self) -> int:
        """Highest number that was read in an earlier session."""
        return self._maildrop.last_accessed

    @property
    def read_only(self) -> bool:
        """Whether another session has the lock."""
        return self._maildrop.read_only

    def open_message(self, number: int) -> MessageReader:
        """Open a message (``spool.mailbox.Maildrop.open_message``)."""
        return self._maildrop.open_message(number)

    def facts(self, number: int) -> MessageFacts:
        """Tell what is known of a message (``spool.mailbox.Maildrop.facts``)."""
        return self._maildrop.facts(number)

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        """Remove and mark (``spool.mailbox.Maildrop.commit``), and take what is removed from the figure.

        The removal holds when it returns; a crash between it and the change of the figure leaves one that is too high
        until it is counted again, which is before it makes a mailbox look full.
        """
        sizes = list(self._sizes(deleted))
        try:
            self._maildrop.commit(deleted=deleted, retrieved=retrieved)
        except BaseException:
            if deleted and not self.read_only:
                self._usage.forget()  # some may have been removed
            raise
        if sizes:
            self._usage.add(-sum(sizes), -len(sizes))

    def close(self) -> None:
        """Release the session lock and every file."""
        self._maildrop.close()

    def _sizes(self, numbers: AbstractSet[int]) -> Iterator[int]:
        for number in numbers:
            with suppress(MailboxChangedError):  # whoever has removed it has told
                yield self._maildrop.facts(number).stored_octets
