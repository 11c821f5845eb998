"""Mail that came to an old home after it was copied: delivered by somebody who had opened it before.

It is told by the manifest of the copy: what is not in it, and what an mbox is longer than in it, is late. Late messages
are carried into the mailbox in use (``spool.carrying``), each exactly once, whenever that is stopped.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from spool import durable
from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.carrying.carry import Carrier, Found, Source, owner_rights
from spool.carrying.from_maildir import messages_of
from spool.carrying.journals import UserJournals
from spool.carrying.mbox_source import MboxPlace, MboxSource
from spool.errors import MailboxUnavailableError
from spool.homes import STATE_DIRECTORY, locate_mailbox
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.directories import TMP_SECONDS_MAX, MessageDirectories, Part
from spool.quota.maildir_size import MAILDIRSIZE
from spool.rehash.copier import Manifest, Manifests, kept_home
from spool.rehash.moves import Move
from spool.rehash.outside import LOCK_SECONDS_MAX
from spool.rehash.tree_copy import FileSeen, files_in
from spool.settings import SpoolSettings

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LateMail:
    """Takes late mail along, and removes old homes that nothing more will come to.

    Args:
        settings: of the spool.
        users: says where they are now.
        manifests: what was copied.
        maintenance: the directory for journals.
        uid_min: nobody below gets anything.
        now: seconds since 1970.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        users: AssignDirectory,
        manifests: Manifests,
        maintenance: Path,
        *,
        uid_min: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._users = users
        self._manifests = manifests
        self._maintenance = maintenance
        self._uid_min = uid_min
        self._now = now

    def sweep(self, move: Move) -> int:
        """Carry late mail from the old home of a move into the mailbox in use. Holds when it returns.

        Returns:
            How many messages that were.

        Raises:
            MailboxBusyError: one of the two mailboxes is in use.
            SpoolError: trouble with either; no mail is lost, and it can be called again.
        """
        kept = kept_home(move)
        with durable.storage_errors(kept), contextlib.ExitStack() as closing:
            try:
                home = os.open(kept, _DIRECTORY)
            except FileNotFoundError:
                return 0
            closing.callback(os.close, home)
            manifest = self._manifests.load(move.user)
            record, location = self._located(move)
            if location.home not in location.path.parents:
                return 0  # it was moved, and not copied
            place = location.path.relative_to(location.home)
            journals = UserJournals(self._maintenance, move.user)
            journals.make()
            source = self._source(closing, home, place, location, manifest, journals)
            rights = owner_rights(record, self._settings, uid_min=self._uid_min)
            carried = Carrier(source, location, self._settings, journals.carrying(kept), rights).carry()
            journals.tidy()
            return carried

    def remove(self, move: Move) -> int:
        """Remove the old home, if nothing in it is missing at the new place, after a last sweep.

        Holds when it returns; a crash before that may leave a part of it, to be removed by the same call.

        Returns:
            How many messages were late.

        Raises:
            MailboxUnavailableError: something in it was changed after it was copied, and is no mail.
            SpoolError: as ``sweep``.
        """
        kept = kept_home(move)
        doomed = kept.with_name(f"{kept.name}.removed")
        with durable.storage_errors(kept):
            carried = self.sweep(move)
            if kept.exists():
                if left := self._left(move):
                    raise MailboxUnavailableError(f"{kept}: is not removed, for {left} was changed after it was copied")
                # Under another name first: half of it removed would look changed.
                durable.rename(kept, doomed)
                durable.sync_directory(kept.parent)
            if doomed.exists():
                durable.remove_tree(doomed)
            self._manifests.remove(move.user)
            return carried

    def _located(self, move: Move) -> tuple[AssignRecord, MailboxLocation]:
        record = self._users.user(move.user)
        if record.uid != move.uid:
            raise MailboxUnavailableError(
                f"{kept_home(move)}: is uid {move.uid}'s, and {move.user} is {record.uid} now"
            )
        location = locate_mailbox(move.user, uid=record.uid, gid=record.gid, home=record.home, settings=self._settings)
        return record, location

    def _source(
        self,
        closing: contextlib.ExitStack,
        home: int,
        place: Path,
        location: MailboxLocation,
        manifest: Manifest,
        journals: UserJournals,
    ) -> Source:
        for part in place.parts[:-1]:
            home = os.open(part, _DIRECTORY, dir_fd=home)
            closing.callback(os.close, home)
        path = Path(f"/proc/self/fd/{home}") / place.name
        if location.kind is MailboxKind.MAILDIR:
            maildrop = _LateMaildir(path, bases_in(manifest, place))
            closing.callback(maildrop.close)
            return maildrop
        settings = self._settings
        copied = manifest.files.get(str(place), FileSeen(0, 0)).octets
        mbox = MboxSource(
            MboxPlace(
                path=path,
                uid=location.uid,
                locks=settings.mbox_locks,
                lock_seconds=min(settings.mbox_lock_seconds, LOCK_SECONDS_MAX),
                stale_seconds=settings.mbox_dotlock_stale_seconds,
                unquote=settings.mbox_unquote,
                journal=journals.removal(location.path),
                first=copied,
            )
        )
        closing.callback(mbox.close)
        return mbox

    def _left(self, move: Move) -> str | None:
        """Name a file of the old home that the new one may lack, None if there is none."""
        manifest = self._manifests.load(move.user)
        _, location = self._located(move)
        place = location.path.relative_to(location.home) if location.home in location.path.parents else None
        bases = bases_in(manifest, place) if place and location.kind is MailboxKind.MAILDIR else frozenset()
        young = self._now() - TMP_SECONDS_MAX
        for name, seen in files_in(kept_home(move)):
            path = Path(name)
            copied = manifest.files.get(name)
            if copied == seen or path.parts[0] == STATE_DIRECTORY:
                continue
            if path.parent.name == "tmp":
                if seen.modified_ns / 1e9 < young:
                    continue
            elif place is not None and (
                # What is now of another name, or as long as before: sweeping leaves what was copied.
                (path.parent.parent == place and _base(name) in bases)
                # The figure of a quota, to which a late delivery adds, is kept anew where the mail is.
                or path == place / MAILDIRSIZE
                or (path == place and copied is not None and copied.octets == seen.octets)
            ):
                continue
            return name
        return None


def bases_in(manifest: Manifest, maildir: Path) -> frozenset[str]:
    """Return the bases of the messages that a Maildir at this place in the home had."""
    prefixes = tuple(f"{maildir}/{part.value}/" for part in Part)
    return frozenset(_base(name) for name in manifest.files if name.startswith(prefixes))


def _base(path: str) -> str:
    return path.rpartition("/")[2].partition(":")[0]


class _LateMaildir:
    """The late messages of a Maildir, as a source (``spool.carrying.carry.Source``); they keep their unique-ids."""

    def __init__(self, path: Path, copied: Collection[str]) -> None:
        self._copied = copied
        self._directories = MessageDirectories(path)

    @contextlib.contextmanager
    def locked(self) -> Iterator[_LateMaildir]:
        """A Maildir has no lock (``spool.carrying.carry.Source.locked``)."""
        yield self

    def find(self) -> Found:
        """Say what is late (``spool.carrying.carry.OpenSource.find``)."""
        places = self._directories.scan().places
        late = {base: place for base, place in places.items() if base not in self._copied}
        messages = [replace(message, unique_id=message.key) for message in messages_of(self._directories, late)]
        return Found(messages, [message.identity for message in messages])

    def remove(self, taken: Sequence[str]) -> None:
        """Remove messages (``spool.carrying.carry.OpenSource.remove``)."""
        places = self._directories.scan().places
        for base in places.keys() & set(taken):
            self._directories.remove(base, places[base])
        for part in Part:
            self._directories.sync(part)

    def close(self) -> None:
        """Give up the messages that were found."""
        self._directories.close()
