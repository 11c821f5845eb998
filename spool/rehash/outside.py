"""Mboxes outside of the homes, in directories named by ``{hash}``: they move with the home.

``{hash}`` follows the home (``spool.homes.hash_directory``), so a program looks for the mbox at its new place from the
instant the home is at its own. Therefore the mbox has both names while the home moves: the new one from before that
instant, under the mbox's locks, the old one until the move is on disk.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.homes import hash_directory
from spool.mailbox import MailboxKind
from spool.mbox.locks import MboxLocks, Timing
from spool.rehash.directories import HashDirectories
from spool.rehash.moves import Move
from spool.settings import MaildropTemplate, SpoolSettings

LOCK_SECONDS_MAX: Final = 1.0


def follows_hash(template: MaildropTemplate) -> bool:
    """Whether mailboxes of a template move when homes do, and do not lie in them."""
    return not template.in_home and "{hash}" in template.text


class OutsideMboxes:
    """The mboxes of a site that lie outside of the homes.

    Args:
        settings: of the spool; no template for a Maildir outside of the homes has ``{hash}``.
        directories: makes directories.
    """

    def __init__(self, settings: SpoolSettings, directories: HashDirectories) -> None:
        self._settings = settings
        self._directories = directories
        self._twice: list[tuple[Path, Path]] = []
        self._templates: Final = [template for template in settings.templates if follows_hash(template)]

    def places(self, move: Move) -> Sequence[tuple[Path, Path]]:
        """Say where a user's mboxes may be before and after a move."""
        pairs = []
        for template in self._templates:
            old, new = (
                template.path(home=home, user=move.user, directory=hash_directory(move.user, home, self._settings))
                for home in (move.old, move.new)
            )
            if old != new:
                pairs.append((old, new))
        return pairs

    def prepare(self, move: Move) -> None:
        """Give mboxes their second names, so that they are on disk before the home is moved.

        Holds from the sync of the file systems on; a crash before that leaves some of them, to be found by the next
        call, or by ``abandon``.

        Raises:
            OSError: a name, or a directory, cannot be made.
        """
        for old, new in self.places(move):
            if old.parent.is_dir():
                self._directories.make(str(new.parent), like=str(old.parent))
                with contextlib.suppress(FileExistsError, FileNotFoundError):  # linked already; or no mail yet
                    durable.link(old, new)
                    self._directories.touched(str(new.parent))

    def abandon(self, move: Move) -> None:
        """Take the second names away again: the home is not moved. Holds from the sync of the file systems on.

        Raises:
            OSError: one cannot be removed.
        """
        for old, new in self.places(move):
            self._remove_one_of_two(new, old)

    @contextlib.contextmanager
    def following(self, move: Move) -> Iterator[None]:
        """Let the mboxes of a home be at both places for the block, in which the home is moved, and after it.

        Holds from the sync of the file systems on. A crash before that leaves some mbox at one place or at both; the
        same call for the same move does the rest, even when the home is at its new place already.

        Raises:
            MailboxBusyError: another program uses one; nothing was changed.
            MailboxUnavailableError: there are two different ones, or one cannot be moved.
            OSError: of the disk.
        """
        if not self._templates:
            yield
            return
        with contextlib.ExitStack() as locks:
            twice = [pair for pair in self.places(move) if self._linked(locks, move, *pair)]
            yield
            self._twice += twice

    def _linked(self, locks: contextlib.ExitStack, move: Move, old: Path, new: Path) -> bool:
        try:
            locks.enter_context(mbox_locks(old, move.uid, self._settings).held())
        except FileNotFoundError:
            return False
        self._directories.make(str(new.parent), like=str(old.parent))
        try:
            durable.link(old, new)
        except FileExistsError:
            if not os.path.samestat(old.lstat(), new.lstat()):
                raise MailboxUnavailableError(f"{new}: is there, and is not the mbox {old}") from None
        self._directories.touched(str(old.parent))
        self._directories.touched(str(new.parent))
        return True

    def remove_old_names(self) -> None:
        """Take from the mboxes the names of their old places, once moves are on disk. Holds from the next sync on.

        Raises:
            OSError: one cannot be removed.
        """
        for old, new in self._twice:
            self._remove_one_of_two(old, new)
        self._twice.clear()

    def _remove_one_of_two(self, name: Path, other: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            # Another program may have put a new file in the place of one of them: then it is kept.
            if os.path.samestat(name.lstat(), other.lstat()):
                durable.remove(name)
                self._directories.touched(str(name.parent))


def mbox_locks(path: Path, uid: int, settings: SpoolSettings) -> MboxLocks:
    """Return the locks of an mbox that is to be moved: one that is in use is put off, and not waited for."""
    return MboxLocks(
        path=path,
        uid=uid,
        kinds=settings.mbox_locks,
        lock_seconds=min(settings.mbox_lock_seconds, LOCK_SECONDS_MAX),
        stale_seconds=settings.mbox_dotlock_stale_seconds,
        timing=Timing(time.monotonic, time.sleep, random.random),
    )


def refused_templates(settings: SpoolSettings) -> Sequence[str]:
    """Return the templates whose mailboxes cannot be moved: Maildirs outside of the homes that follow ``{hash}``."""
    templates = settings.templates
    return [each.text for each in templates if follows_hash(each) and each.kind is MailboxKind.MAILDIR]
