"""Moving one home to another file system: copied, published, and kept at the old place for a while.

The copy is made beside its place and renamed to it. Then, in one instant, the old home changes places with the link to
the new one: from there on everybody finds the copy, and only deliveries that had opened the old home before still go
into it. It waits under another name until those have been taken along (``spool.rehash.late_mail``).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxBusyError, MailboxUnavailableError
from spool.homes import locate_mailbox
from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.rehash.directories import HashDirectories
from spool.rehash.mover import change_places, leads, session_locked, status_of_home
from spool.rehash.moves import Move, Rights
from spool.rehash.outside import OutsideMboxes, mbox_locks
from spool.rehash.tree_copy import FileSeen, copy_home
from spool.settings import SpoolSettings

_FORM: Final = "copied-1"


def kept_home(move: Move) -> Path:
    """Say where the old home of a copied one is kept; no user's name begins with a dot."""
    return move.old.with_name(f".{move.old.name}.rehashed")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copied home held when it was copied.

    Attributes:
        identity: device and inode of the copy.
        files: its regular files, by their paths below the home.
    """

    identity: tuple[int, int]
    files: Mapping[str, FileSeen]


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of copied homes, in files of the maintenance directory."""

    directory: Path

    def save(self, user: UserName, manifest: Manifest) -> None:
        """Keep a manifest. Holds when it returns; a crash before that leaves the one before, or none."""
        with contextlib.suppress(FileExistsError):
            durable.make_directory(self.directory)
        text = json.dumps({_FORM: manifest.files, "identity": manifest.identity})
        durable.replace_file(self.directory / user.text, [text.encode("ascii")])

    def load(self, user: UserName) -> Manifest:
        """Read a manifest.

        Raises:
            MailboxUnavailableError: it is not there, or is none of ours.
        """
        path = self.directory / user.text
        try:
            found = json.loads(path.read_bytes())
            device, inode = map(int, found["identity"])
            files = {name: FileSeen(int(octets), int(modified)) for name, (octets, modified) in found[_FORM].items()}
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise MailboxUnavailableError(f"{path}: no manifest of a copied home: {error!r}") from error
        return Manifest((device, inode), files)

    def remove(self, user: UserName) -> None:
        """Remove a manifest. A crash may bring it back, which does no harm."""
        durable.remove(self.directory / user.text)


class Copier:
    """Moves homes to other file systems, one at a time.

    Args:
        settings: of the spool.
        directories: where homes lie.
        outside: the mboxes outside of homes.
        rights: those of a user, for making the session lock.
        manifests: where to remember what was copied.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        directories: HashDirectories,
        outside: OutsideMboxes,
        rights: Rights,
        manifests: Manifests,
    ) -> None:
        self._settings = settings
        self._directories = directories
        self._rights = rights
        self._manifests = manifests
        self._outside = outside

    def move(self, move: Move) -> tuple[int, int]:
        """Move a home, or finish moving it; one that is at its new place already stays there.

        Holds from the sync of the file systems on. A crash before that leaves the home at the old place, and perhaps a
        copy, or a part of one, that nobody uses; or the link at the old place, and the copy in use.

        Returns:
            Device and inode of the home at its new place.

        Raises:
            MailboxBusyError: a session, or a program with the mbox's locks, is using the mailbox; it was not moved.
            SpoolError: it is not there, or cannot be copied, or something else is at the new place.
        """
        text = self._directories.text_of_link(move.old, move.new)
        with durable.storage_errors(move.new):
            if status_of_home(move.old, move.uid) is not None:
                with session_locked(move, self._settings, self._rights):
                    self._copy(move)
                    with self._outside.following(move):
                        self._switch(move, text)
            else:
                if status_of_home(kept_home(move), move.uid) is not None and not os.path.lexists(move.old):
                    durable.create_symlink(move.old, text)
                with self._outside.following(move):
                    pass
            status = status_of_home(move.new, move.uid)
            if status is None or not leads(move.old, text):
                raise MailboxUnavailableError(f"{move.old}: no home of uid {move.uid} is there")
            self._directories.touched(move.old_directory)
            self._directories.touched(move.new_directory)
            return status.st_dev, status.st_ino

    def _copy(self, move: Move) -> None:
        """Copy the home to its new place. Holds when it returns."""
        if move.new.is_symlink():
            raise MailboxBusyError(f"{move.new}: whoever looks for the home here still needs the link")
        self._directories.make(move.new_directory)
        # Nobody was told of a copy that a crash has left: the old home was in use, and has changed.
        unfinished = move.new.with_name(f".{move.new.name}.rehashing")
        durable.remove_tree(unfinished)
        if self._is_our_copy(move):
            durable.rename(move.new, unfinished)
            durable.remove_tree(unfinished)
        if os.path.lexists(move.new):
            raise MailboxUnavailableError(f"{move.new}: is there already")
        location = locate_mailbox(move.user, uid=move.uid, gid=move.gid, home=move.old, settings=self._settings)
        dotlock = None
        with contextlib.ExitStack() as locks:
            if location.kind is MailboxKind.MBOX and move.old in location.path.parents:
                dotlock = location.path.with_name(f"{location.path.name}.lock").relative_to(move.old)
                with contextlib.suppress(FileNotFoundError):
                    locks.enter_context(mbox_locks(location.path, move.uid, self._settings).held())
            try:
                files = copy_home(move.old, unfinished, without=dotlock)
            except BaseException:
                with contextlib.suppress(OSError):  # what is left of it the next try removes
                    durable.remove_tree(unfinished)
                raise
        status = unfinished.stat()
        self._manifests.save(move.user, Manifest((status.st_dev, status.st_ino), files))
        durable.rename(unfinished, move.new)
        durable.sync_directory(move.new.parent)

    def _is_our_copy(self, move: Move) -> bool:
        status = status_of_home(move.new, move.uid)
        if status is None:
            return False
        with contextlib.suppress(MailboxUnavailableError):
            return self._manifests.load(move.user).identity == (status.st_dev, status.st_ino)
        return False

    def _switch(self, move: Move, text: str) -> None:
        kept = kept_home(move)
        if not leads(kept, text):
            durable.create_symlink(kept, text)
        change_places(move.old, kept, text)
