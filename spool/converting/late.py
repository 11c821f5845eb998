"""Mail that comes to a former mailbox: from programs that had it open, or do not know that it is no longer in use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from spool.carrying.carry import Found, OpenSource, Rights, Source
from spool.carrying.from_maildir import messages_of
from spool.carrying.mbox_source import MboxPlace, MboxSource
from spool.converting.record import Conversion
from spool.durable import storage_errors
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.directories import MessageDirectories, Part
from spool.settings import SpoolSettings

_KERNEL_LOCKS: Final = ("fcntl", "flock")


class LateMaildir:
    """What came to a former Maildir (``spool.carrying.carry.Source``). To be closed when it is no longer read.

    Args:
        maildir: where it is now.
        converted: the messages that did not come late.
    """

    def __init__(self, maildir: Path, converted: Sequence[str]) -> None:
        self._maildir = maildir
        self._converted = frozenset(converted)
        self._open = contextlib.ExitStack()

    @contextlib.contextmanager
    def locked(self) -> Iterator[OpenLateMaildir]:
        """Open it; there is nothing to lock."""
        with storage_errors(self._maildir):
            directories = MessageDirectories(self._maildir)
            self._open.callback(directories.close)
            yield OpenLateMaildir(self._maildir, directories, self._converted)

    def close(self) -> None:
        """Give up the messages. May be called twice."""
        self._open.close()


class OpenLateMaildir:
    """What came to a former Maildir, open (``spool.carrying.carry.OpenSource``)."""

    def __init__(self, maildir: Path, directories: MessageDirectories, converted: frozenset[str]) -> None:
        self._maildir = maildir
        self._directories = directories
        self._converted = converted

    def find(self) -> Found:
        """Say what came late (``spool.carrying.carry.OpenSource.find``)."""
        with storage_errors(self._maildir):
            places = self._directories.scan().places
            late = {base: place for base, place in places.items() if base not in self._converted}
            messages = list(messages_of(self._directories, late))
        return Found(messages, [message.identity for message in messages])

    def remove(self, taken: Sequence[str]) -> None:
        """Remove what was carried (``spool.carrying.carry.OpenSource.remove``)."""
        with storage_errors(self._maildir):
            places = self._directories.scan().places
            for base in set(taken) & places.keys():
                with contextlib.suppress(FileNotFoundError):
                    self._directories.remove(base, places[base])
            for part in Part:
                self._directories.sync(part)


class OwnersSource:
    """A source that lies in a home, and is worked in with its owner's rights (``spool.carrying.carry.Source``)."""

    def __init__(self, source: Source, rights: Rights) -> None:
        self._source = source
        self._rights = rights

    @contextlib.contextmanager
    def locked(self) -> Iterator[OpenOwnersSource]:
        """Hold its locks; the rights are had while they are taken, while they are released, and in each method."""
        with contextlib.ExitStack() as stack:
            with self._rights():
                opened = contextlib.ExitStack()
                source = opened.enter_context(self._source.locked())
            stack.callback(self._release, opened)
            yield OpenOwnersSource(source, self._rights)

    def _release(self, opened: contextlib.ExitStack) -> None:
        with self._rights():
            opened.close()


class OpenOwnersSource:
    """An open source that lies in a home (``spool.carrying.carry.OpenSource``)."""

    def __init__(self, source: OpenSource, rights: Rights) -> None:
        self._source = source
        self._rights = rights

    def find(self) -> Found:
        """As the source."""
        with self._rights():
            return self._source.find()

    def remove(self, taken: Sequence[str]) -> None:
        """As the source."""
        with self._rights():
            self._source.remove(taken)


def late_source(former: MailboxLocation, conversion: Conversion, settings: SpoolSettings) -> LateMaildir | MboxSource:
    """Return what came too late to a former mailbox, as a source.

    Args:
        former: where it was.
        conversion: what is known of it.
        settings: of the spool.
    """
    kept = former.path.with_name(conversion.kept)
    if former.kind is MailboxKind.MAILDIR:
        return LateMaildir(kept, conversion.bases)
    return MboxSource(
        MboxPlace(
            path=kept,
            uid=former.uid,
            # Whoever waits for its lock has opened it; nobody makes a dot-lock for the name that it has now.
            locks=_KERNEL_LOCKS,
            lock_seconds=settings.mbox_lock_seconds,
            stale_seconds=settings.mbox_dotlock_stale_seconds,
            unquote=settings.mbox_unquote,
            journal=former.state / f"{conversion.kept}.removal",
            first=conversion.end,
        )
    )


def is_being_written(former: MailboxLocation, conversion: Conversion) -> bool:
    """Whether somebody may still be writing a message into a former Maildir."""
    if former.kind is not MailboxKind.MAILDIR:
        return False
    tmp = former.path.with_name(conversion.kept) / "tmp"
    with storage_errors(tmp):
        return any(tmp.iterdir())
