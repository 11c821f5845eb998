"""Unique-ids: what UIDL shows, kept where the message alone does not determine them.

Every stored message has a *key*, which is a unique-id itself: for Maildir made of the unique name, for mbox of a digest
over the content. The key is the message's unique-id unless there is a reason against it, and only the exceptions are
written down, in the ``.uids`` file of the state directory (``spool.unique_id_book`` knows what they are and how they
are written). So new mail costs no write, and a lost ``.uids`` file changes the ids of exceptions only. An exception is
on disk, file and directory, before its id is returned.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final

from spool import durable
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.kernel_locks import open_locked
from spool.mailbox import MailboxLocation
from spool.state import make_state_directory, state_file
from spool.unique_id_book import UNIQUE_ID_CHARACTERS, UNIQUE_ID_OCTETS_MAX, UniqueIdBook, is_unique_id

FILE_OCTETS_MAX: Final = 64 * 1024 * 1024


def key_of_name(base: str) -> str:
    """Make the key of a Maildir message from its base, the file name up to the first colon.

    The base itself, as qmail-pop3d shows it, or 32 characters of its SHA-256 digest where it is no unique-id.
    """
    return base if is_unique_id(base) else key_of_digest(hashlib.sha256(os.fsencode(base)).digest())


def keys_of_names(bases: Sequence[str]) -> Sequence[str]:
    """Make the keys of many Maildir messages; the same object if all of the bases are keys themselves."""
    lengths = set(map(len, bases))
    fit = 0 not in lengths and max(lengths, default=0) <= UNIQUE_ID_OCTETS_MAX
    if fit and not os.fsencode("".join(bases)).translate(None, UNIQUE_ID_CHARACTERS):
        return bases
    return [key_of_name(base) for base in bases]


def key_of_digest(digest: bytes) -> str:
    """Make a key of 32 characters from the first 20 octets of a digest."""
    return base64.b32encode(digest[:20]).decode("ascii").lower()


class UniqueIdFile:
    """The exceptions of one mailbox. Every method reads the file anew, under a lock of its own.

    That lock is there for sessions that share a maildrop; nobody holds it longer than one method takes.

    All methods raise ``MailboxBusyError`` if another session is changing the file this moment, ``SpoolError`` if it
    cannot be read or written or holds what we did not write.
    """

    SUFFIX: ClassVar[str] = ".uids"

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location
        self._path = state_file(location, self.SUFFIX)

    def assign(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the unique-ids of all messages of the mailbox, given their keys in the order of the mailbox.

        Holds when it returns: each id is its message's for good, and all are different. A crash before that may have
        assigned them already, to be returned by the next call.
        """
        if not self._exists() and len(set(keys)) == len(keys):
            return keys
        with self._opened() as (descriptor, book):
            unique_ids = book.assign(keys)
            if book.is_crowded(keys):
                durable.replace_file(self._path, [book.compacted(keys)])
            else:
                _save(descriptor, book)
        return unique_ids

    def announce_removal(self, unique_ids: Iterable[str]) -> None:
        """Note that these messages are about to be removed; to be called before it, and ``forget`` after.

        It tells, should a crash come between, which of several equal copies went. Where there is one copy only,
        nothing is written. Holds when it returns.
        """
        if not self._exists():
            return
        with self._opened() as (descriptor, book):
            book.announce_removal(unique_ids)
            _save(descriptor, book)

    def forget(self, unique_ids: Iterable[str]) -> None:
        """Retire the ids of messages that were removed.

        Holds when it returns. A crash before that may let a later octet-equal message have one of the ids.
        """
        with self._opened() as (descriptor, book):
            book.retire(unique_ids)
            _save(descriptor, book)

    def import_ids(self, ids_by_key: Mapping[str, Sequence[str]]) -> None:
        """Give messages the ids they had on another server; for each key the ids of its copies, in their order.

        They take the place of what these keys had before. Holds when it returns; a crash before that may have
        imported some of them, and importing again completes it.

        Raises:
            ValueError: not a unique-id, or one id for two messages.
        """
        with self._opened() as (descriptor, book):
            book.import_ids(ids_by_key)
            _save(descriptor, book)

    def add_ids(self, arriving: Sequence[tuple[str, str]], keys: Sequence[str]) -> None:
        """Give messages that are about to arrive, ``(key, id)`` each, the ids they had on another server.

        What the mailbox has keeps its ids, and an id that another message has, or that is retired, or that is none, is
        passed over: that message gets one of ours. Holds when it returns; a crash before that may have added some of
        them, and adding them again completes it.

        Args:
            arriving: in the order in which they will arrive.
            keys: of the messages in the mailbox, in its order.
        """
        with self._opened() as (descriptor, book):
            book.add_ids(arriving, keys)
            _save(descriptor, book)

    def retired(self) -> Sequence[str]:
        """Return the ids that no message of this mailbox may have any more."""
        if not self._exists():
            return ()
        with self._opened() as (_, book):
            return book.retired()

    def _exists(self) -> bool:
        with durable.storage_errors(self._path):
            return self._path.exists()

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, UniqueIdBook]]:
        make_state_directory(self._location)
        with durable.storage_errors(self._path):
            descriptor = open_locked(self._path)
            if descriptor is None:
                raise MailboxBusyError(f"{self._path}: being changed by another session")
            try:
                yield descriptor, self._read(descriptor)
            finally:
                os.close(descriptor)

    def _read(self, descriptor: int) -> UniqueIdBook:
        if (octets := os.fstat(descriptor).st_size) > FILE_OCTETS_MAX:
            raise MailboxUnavailableError(f"{self._path}: {octets} octets are too many for unique-ids")
        try:
            return UniqueIdBook(_read_all(descriptor, octets))
        except ValueError as error:
            raise MailboxUnavailableError(f"{self._path}: {error}") from error


def _read_all(descriptor: int, octets: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, octets):
        pieces.append(piece)
    return b"".join(pieces)


def _save(descriptor: int, book: UniqueIdBook) -> None:
    if changes := book.changes():
        durable.truncate(descriptor, book.whole_octets)
        durable.write_at(descriptor, changes, book.whole_octets)
        durable.sync_file(descriptor)
