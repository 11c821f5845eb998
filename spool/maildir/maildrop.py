"""A Maildir as one POP3 session sees it."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar

from spool.durable import storage_errors
from spool.errors import MailboxBusyError, MailboxChangedError, MailboxUnavailableError, SpoolError
from spool.mailbox import MailboxLocation, MessageFacts
from spool.maildir.directories import PIECE_OCTETS, MessageDirectories, Part, Place
from spool.maildir.names import is_seen, with_seen
from spool.maildir.size_index import SizeIndex
from spool.maildir.snapshot import MaildirSnapshot
from spool.session_lock import SessionLock
from spool.unique_ids import UniqueIdFile, key_of_name, keys_of_names
from spool.wire import WireEncoder

_T = TypeVar("_T")

_ATTEMPTS: Final = 3  # a message may be moved again while we look for it


class MaildirMaildrop:
    """A snapshot of ``new`` and ``cur``, and the open directories behind it (``spool.mailbox.Maildrop``).

    Other programs may move messages and change flags meanwhile: a message that is not where it was is looked for by
    its base.

    Args:
        location: of the mailbox.
        directories: of the Maildir; the maildrop closes them.
        snapshot: read from them; it may be others' too, so what this session finds out since is kept here.
        lock: the session lock, None when the mailbox is shared with the session that has it.
    """

    def __init__(
        self,
        location: MailboxLocation,
        directories: MessageDirectories,
        snapshot: MaildirSnapshot,
        lock: SessionLock | None,
    ) -> None:
        self._location = location
        self._lock = lock
        self._directories = directories
        self._snapshot = snapshot
        self._places: Sequence[Place | None] = snapshot.places

    @property
    def wire_octets(self) -> Sequence[int]:
        """Size of each message; one that stands in the message's name is checked only when the message is sent."""
        return self._snapshot.wire_octets

    @property
    def unique_ids(self) -> Sequence[str]:
        """What UIDL shows for each message."""
        return self._snapshot.unique_ids

    @property
    def last_accessed(self) -> int:
        """Highest number of a message with the flag for read messages when the session began."""
        return self._snapshot.last_seen

    @property
    def read_only(self) -> bool:
        """Whether another session has the lock."""
        return self._lock is None

    def open_message(self, number: int) -> MaildirReader:
        """Open a message (``spool.mailbox.Maildrop.open_message``)."""
        with storage_errors(self._location.path):
            descriptor = self._act_on(number, self._directories.open_file)
        return MaildirReader(self._location, descriptor, lambda octets: self._check_size(number, octets))

    def facts(self, number: int) -> MessageFacts:
        """Tell what is known of a message (``spool.mailbox.Maildrop.facts``); it arrived when its file was written."""
        with storage_errors(self._location.path):
            status = self._act_on(number, self._directories.stat)
        place = self._snapshot.places[number - 1]
        return MessageFacts(status.st_size, status.st_mtime, fetched=is_seen(place.info))

    def commit(self, *, deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> None:
        """Remove ``deleted``; move ``retrieved`` to ``cur``, with the flag for read messages.

        Holds when it returns, from the syncs of ``new`` and ``cur`` on. A crash before that leaves some of the messages
        removed and some moved; each that is not in ``deleted`` is at its old place, at its new one, or at both. Trouble
        with one message does not keep the others from being removed.

        Raises:
            MailboxBusyError: the snapshot is shared.
            SpoolError: some of ``deleted`` may not have been removed.
        """
        if self.read_only:
            raise MailboxBusyError(f"{self._location.path}: shared with another session, which alone may change it")
        touched: set[Part] = set()
        with storage_errors(self._location.path):
            trouble = self._act_on_all(deleted, functools.partial(self._remove, touched))
            # A mark that cannot be made is no reason to tell the client that its deletions failed.
            self._act_on_all(retrieved - deleted, functools.partial(self._mark_seen, touched))
            for part in reversed(Part):  # where messages came to before where they went away from
                if part in touched:
                    self._directories.sync(part)
        self._forget(deleted)
        if trouble:
            raise MailboxUnavailableError(f"{self._location.path}: {len(trouble)} messages not removed: {trouble[0]}")

    def close(self) -> None:
        """Release the session lock and the directories. May be called twice, and from another thread."""
        self._directories.close()
        if self._lock is not None:
            self._lock.release()

    def _act_on_all(self, numbers: AbstractSet[int], action: Callable[[str, Place], None]) -> list[str]:
        trouble = []
        for number in sorted(numbers):
            # One that is gone is as good as removed, and needs no mark.
            with contextlib.suppress(MailboxChangedError):
                try:
                    self._act_on(number, action)
                except OSError as error:
                    trouble.append(str(error))
        return trouble

    def _act_on(self, number: int, action: Callable[[str, Place], _T]) -> _T:
        if number < 1:
            raise IndexError(number)  # or the last message would be meant
        base = self._snapshot.bases[number - 1]
        for _ in range(_ATTEMPTS):
            if (place := self._places[number - 1]) is None:
                break
            try:
                return action(base, place)
            except FileNotFoundError:
                found = self._directories.scan().places
                self._places = [found.get(base) for base in self._snapshot.bases]
        raise MailboxChangedError(f"{self._location.path}: {base!r} is gone")

    def _remove(self, touched: set[Part], base: str, place: Place) -> None:
        self._directories.remove(base, place)
        touched.add(place.part)

    def _mark_seen(self, touched: set[Part], base: str, place: Place) -> None:
        target = Place(Part.CUR, with_seen(place.info))
        if place != target:
            self._directories.move(base, place, target)
            touched.update((place.part, target.part))

    def _forget(self, numbers: AbstractSet[int]) -> None:
        # An id that is the name's own needs no forgetting: the name never comes back.
        ids = [self.unique_ids[number - 1] for number in sorted(numbers) if self._has_own_id(number)]
        if ids:
            # The messages are removed; an id that is kept on does no harm.
            with contextlib.suppress(SpoolError):
                UniqueIdFile(self._location).forget(ids)

    def _has_own_id(self, number: int) -> bool:
        return self.unique_ids[number - 1] != key_of_name(self._snapshot.bases[number - 1])

    def _check_size(self, number: int, octets: int) -> None:
        if octets != self.wire_octets[number - 1]:
            index = SizeIndex(self._location)
            index.remember(key_of_name(self._snapshot.bases[number - 1]), octets)
            index.save(keys_of_names(self._snapshot.bases))


class MaildirReader:
    """Reads one message's open file in wire form (``spool.mailbox.MessageReader``).

    Args:
        location: the mailbox, for errors.
        descriptor: the open file; the reader closes it.
        finished: called with the wire octets of the whole message once all of it has been read.
    """

    __slots__ = ("_descriptor", "_encoder", "_finished", "_location", "_octets")

    def __init__(self, location: MailboxLocation, descriptor: int, finished: Callable[[int], None]) -> None:
        self._location = location
        self._descriptor: int | None = descriptor
        self._finished: Callable[[int], None] | None = finished
        self._encoder = WireEncoder()
        self._octets = 0

    def read(self) -> bytes:
        """Return the next piece, at most 128 KiB; empty at the end."""
        if self._descriptor is None:
            raise MailboxUnavailableError(f"{self._location.path}: the message is closed already")
        if self._finished is None:
            return b""
        with storage_errors(self._location.path):
            stored = os.read(self._descriptor, PIECE_OCTETS)
            wire = self._encoder.encode(stored) if stored else self._encoder.finish()
            self._octets += len(wire)
            if not stored:
                self._finished(self._octets)
                self._finished = None
        return wire

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
