"""The figure of what one mailbox holds: found cheaply, counted where it must be, and kept up to date.

**Maildir.** The figure is kept in the file ``maildirsize`` of the Maildir, by the rules of Maildir++, which Courier,
vpopmail, maildrop and Dovecot keep too (``spool.quota.ledger``, ``spool.quota.maildir_size``).

**mbox.** The octets are the size of the file, From_ lines and all, and so never wrong. The number of messages is kept
in a ledger of the same form, ``.quota`` in the state directory, and only for users whose number of messages is limited.
It holds as long as its octets are the size of the file: if another program has changed the mbox, messages are counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from spool import durable
from spool.mailbox import MailboxLocation
from spool.mbox.blocks import BlockReader
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.scan import scan, sound_end
from spool.quota.ledger import Ledger, Tally
from spool.quota.limits import Limit
from spool.quota.maildir_size import MAILDIRSIZE, count_maildir
from spool.state import make_state_directory, state_file

STALE_SECONDS: Final = 15 * 60  # Maildir++: an older figure is not believed when it says that a mailbox is full


class Usage(NamedTuple):
    """What a mailbox holds. ``certain``: counting would not tell anything else."""

    octets: int
    messages: int
    certain: bool


class UsageKeeper(Protocol):
    """Keeps the figure of one mailbox with one limit. Failures to keep it are not told: it will be counted again."""

    def look(self) -> Usage:
        """Return the figure.

        Raises:
            SpoolError: the mailbox cannot be looked at.
        """

    def count(self) -> Usage:
        """Count, and keep the figure.

        Raises:
            SpoolError: the mailbox cannot be looked at.
        """

    def add(self, octets: int, messages: int) -> None:
        """Note what came, or, with negative numbers, what went."""

    def forget(self) -> None:
        """Let the next look count: it is not known what came or went."""


class MaildirUsage:
    """The figure of a Maildir (``UsageKeeper``).

    Args:
        location: of the Maildir.
        limit: its user's.
        clock: seconds since 1970.
    """

    def __init__(self, location: MailboxLocation, limit: Limit, *, clock: Callable[[], float] = time.time) -> None:
        self._path: Final = location.path
        self._definition: Final = limit.definition
        self._clock: Final = clock
        self._ledger: Final = Ledger(location.path / MAILDIRSIZE)

    def look(self) -> Usage:
        """Return the sum of ``maildirsize``, or count if it is missing, too long, or for another limit."""
        with durable.storage_errors(self._path):
            tally = self._ledger.read()
        if tally is None or tally.definition != self._definition:
            return self.count()
        return Usage(tally.octets, tally.messages, certain=tally.lines <= 1 and not self._is_stale(tally))

    def count(self) -> Usage:
        """Count the messages; the figure is kept unless mail came or went meanwhile."""
        with durable.storage_errors(self._path):
            counted = count_maildir(self._path)
        with suppress(OSError):
            if counted.steady:
                self._ledger.replace(self._definition, counted.octets, counted.messages)
            else:
                self._ledger.discard()
        return Usage(counted.octets, counted.messages, certain=True)

    def add(self, octets: int, messages: int) -> None:
        """Add a line to ``maildirsize``."""
        with suppress(OSError):
            self._ledger.add(octets, messages)

    def forget(self) -> None:
        """Remove ``maildirsize``."""
        with suppress(OSError):
            self._ledger.discard()

    def _is_stale(self, tally: Tally) -> bool:
        return self._clock() - tally.written_at > STALE_SECONDS


class MboxUsage:
    """The figure of an mbox (``UsageKeeper``). Of a user whose number of messages is not limited they are 0.

    Args:
        mailbox: the mbox.
        limit: its user's.
    """

    def __init__(self, mailbox: MboxMailbox, limit: Limit) -> None:
        self._mailbox: Final = mailbox
        self._path: Final = mailbox.location.path
        self._limit: Final = limit
        self._ledger: Final = Ledger(state_file(mailbox.location, ".quota"))

    def look(self) -> Usage:
        """Return the size of the file, and the number of messages in the ledger, or count if it is for another file."""
        octets = self._octets()
        if self._limit.messages is None:
            return Usage(octets, 0, certain=True)
        with durable.storage_errors(self._mailbox.location.state):
            tally = self._ledger.read()
        if tally is None or tally.definition != self._limit.definition or tally.octets != octets:
            return self.count()
        return Usage(octets, tally.messages, certain=True)

    def count(self) -> Usage:
        """Count the messages, under the mbox's locks."""
        octets, messages = self._scan()
        if self._limit.messages is None:
            return Usage(octets, 0, certain=True)
        make_state_directory(self._mailbox.location)
        with suppress(OSError):
            self._ledger.replace(self._limit.definition, octets, messages)
        return Usage(octets, messages, certain=True)

    def add(self, octets: int, messages: int) -> None:
        """Add a line to the ledger."""
        with suppress(OSError):
            self._ledger.add(octets, messages)

    def forget(self) -> None:
        """Nothing: a ledger that does not fit the file is noticed."""

    def _octets(self) -> int:
        with durable.storage_errors(self._path):
            try:
                return self._path.lstat().st_size
            except FileNotFoundError:
                return 0

    def _scan(self) -> tuple[int, int]:
        with durable.storage_errors(self._path):
            try:
                with self._mailbox.locked() as mbox:
                    octets = os.fstat(mbox.descriptor).st_size
                    reader = BlockReader(mbox.descriptor, octets, before_block=mbox.keep_alive)
                    reader.end = sound_end(reader)
                    return octets, sum(
                        not (index == 0 and each.hints.internal) for index, each in enumerate(scan(reader))
                    )
            except FileNotFoundError:
                return 0, 0
