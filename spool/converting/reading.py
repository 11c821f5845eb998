"""Reading all of a mailbox under its session lock, and noticing what others change in it meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol, assert_never

from spool.carrying import from_maildir, from_mbox
from spool.carrying.flags import Flag, Flags
from spool.carrying.message import CarriedMessage
from spool.converting.record import Conversion
from spool.durable import storage_errors
from spool.errors import MailboxChangedError
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.directories import MessageDirectories
from spool.mbox.blocks import BlockReader
from spool.mbox.locks import HeldMbox
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.read_mark import load_read_mark
from spool.mbox.scan import sound_end
from spool.settings import SpoolSettings
from spool.unique_ids import UniqueIdFile


class ReadMailbox(Protocol):
    """A mailbox that was read."""

    @property
    def messages(self) -> Sequence[CarriedMessage]:
        """All messages, in their order, with their unique-ids; to be read as long as it is open."""

    def remembered(self, conversion: Conversion) -> Conversion:
        """Return a conversion with what tells the messages from later ones."""

    def settled(self) -> contextlib.AbstractContextManager[None]:
        """For the block, know that the messages are as they were read, and keep mail programs from changing that.

        Raises:
            MailboxChangedError: some of them were changed or removed; more of them are no change.
            MailboxBusyError: another program has the mailbox.
        """


@contextlib.contextmanager
def read_mailbox(location: MailboxLocation, settings: SpoolSettings) -> Iterator[ReadMailbox]:
    """Read a mailbox; the caller holds its session lock.

    Raises:
        SpoolError: it cannot be read.
    """
    with contextlib.ExitStack() as stack, storage_errors(location.path):
        match location.kind:
            case MailboxKind.MAILDIR:
                directories = MessageDirectories(location.path)
                stack.callback(directories.close)
                yield ReadMaildir(location, directories)
            case MailboxKind.MBOX:
                mbox = ReadMbox(location, settings)
                stack.callback(mbox.close)
                yield mbox
            case _:
                assert_never(location.kind)


class ReadMaildir:
    """A Maildir that was read (``ReadMailbox``). Nobody can be kept from changing it: what is late is found later."""

    def __init__(self, location: MailboxLocation, directories: MessageDirectories) -> None:
        self._directories = directories
        self._places = directories.scan().places
        self.messages = _with_ids(location, list(from_maildir.messages_of(directories, self._places)))

    def remembered(self, conversion: Conversion) -> Conversion:
        """Add the messages' bases (``ReadMailbox.remembered``)."""
        return replace(conversion, bases=tuple(self._places))

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """See that no message was removed or marked (``ReadMailbox.settled``)."""
        now = self._directories.scan().places
        if any(now.get(base) != place for base, place in self._places.items()):
            raise MailboxChangedError("another program changes messages")
        yield


class ReadMbox:
    """An mbox that was read (``ReadMailbox``)."""

    def __init__(self, location: MailboxLocation, settings: SpoolSettings) -> None:
        self._mailbox = MboxMailbox(location, settings)
        self._unquote = settings.mbox_unquote
        self._open = contextlib.ExitStack()
        with self._mailbox.locked() as mbox:
            self._descriptor = os.dup(mbox.descriptor)
            self._open.callback(os.close, self._descriptor)
            self._stamp = _stamp(self._descriptor)
            found = list(self._find(mbox))
            self._end = self._end_of_mail(mbox)
        messages = _with_ids(location, found)
        number = load_read_mark(location, [str(message.unique_id) for message in messages])
        self.messages = [
            replace(message, flags=_seen(message.flags)) if index == number else message
            for index, message in enumerate(messages, 1)
        ]
        self._found = found

    def remembered(self, conversion: Conversion) -> Conversion:
        """Add where later mail will begin (``ReadMailbox.remembered``)."""
        return replace(conversion, end=self._end)

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """Hold the mbox's locks, and see that it has only grown (``ReadMailbox.settled``)."""
        with self._mailbox.locked() as mbox:
            if not os.path.sameopenfile(mbox.descriptor, self._descriptor):
                raise MailboxChangedError("another file is in the mbox's place")
            if _stamp(self._descriptor) != self._stamp:
                now = [(message.identity, message.flags) for message in self._find(mbox)]
                if now[: len(self._found)] != [(message.identity, message.flags) for message in self._found]:
                    raise MailboxChangedError("another program changes messages")
            yield

    def _end_of_mail(self, mbox: HeldMbox) -> int:
        reader = BlockReader(self._descriptor, os.fstat(self._descriptor).st_size, before_block=mbox.keep_alive)
        return sound_end(reader)

    def close(self) -> None:
        """Give up the messages."""
        self._open.close()

    def _find(self, mbox: HeldMbox) -> Iterator[CarriedMessage]:
        return from_mbox.messages_of(self._descriptor, first=0, unquote=self._unquote, keep_alive=mbox.keep_alive)


def _with_ids(location: MailboxLocation, messages: Sequence[CarriedMessage]) -> Sequence[CarriedMessage]:
    unique_ids = UniqueIdFile(location).assign([message.key for message in messages])
    return [replace(message, unique_id=unique_id) for message, unique_id in zip(messages, unique_ids, strict=True)]


def _seen(flags: Flags) -> Flags:
    return Flags(flags.marks | {Flag.SEEN}, recent=False)


def _stamp(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns
