"""Carrying all messages of a source into a mailbox in use, each exactly once, whenever it is stopped and run again.

The order of steps: messages are staged; under the source's lock, if they are still there, a journal says which they
are; they are published; they are removed from the source; the journal is removed. A stop before the journal is written
leaves a stage that is cleared; a stop after it leaves steps that can all be done again: publishing delivers what is
still on the stage, and removing removes what is still in the source. Until the journal is gone, messages are known by
their identity, so mail that came to the source meanwhile is not taken for carried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, assert_never

from spool.acting_as import acting_as, dotlock_groups
from spool.assign import AssignRecord
from spool.carrying.journal import Carrying, load_carrying, remove_carrying, save_carrying
from spool.carrying.maildir_stage import MaildirStage
from spool.carrying.mbox_stage import MboxStage
from spool.carrying.message import CarriedMessage
from spool.carrying.stage import Stage
from spool.errors import MailboxBusyError, MailboxChangedError
from spool.mailbox import MailboxKind, MailboxLocation
from spool.settings import SpoolSettings

ROUNDS_MAX: Final = 5
"""How often a source is looked at again in one go, while other programs write to it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source holds: the messages to be carried, and the identities of all there is to be removed with them."""

    messages: Sequence[CarriedMessage]
    taken: Sequence[str]


class OpenSource(Protocol):
    """A source whose lock is held."""

    def find(self) -> Found:
        """Say what it holds; the messages can be read as long as the source is open, even without the lock.

        Raises:
            SpoolError: it cannot be read.
        """

    def remove(self, taken: Sequence[str]) -> None:
        """Remove what has these identities, as often as they are given, as far as it is there.

        Holds when it returns; a crash before that leaves it to be called again.

        Raises:
            SpoolError: it may not all have been removed.
        """


class Source(Protocol):
    """Where messages are carried away from."""

    def locked(self) -> AbstractContextManager[OpenSource]:
        """Keep other programs from changing it, as far as they do as mail programs do.

        Raises:
            MailboxBusyError: another program holds it.
            SpoolError: it cannot be opened.
        """


Rights = Callable[[], AbstractContextManager[None]]
"""Gives the rights of a mailbox's owner for a block (``spool.acting_as``)."""


def owner_rights(record: AssignRecord, settings: SpoolSettings, *, uid_min: int) -> Rights:
    """Say how to get a user's rights. Raises what ``spool.acting_as.acting_as`` does, when they are taken.

    Raises:
        SettingsError: the group of dot-locks does not exist.
    """
    return partial(acting_as, record.uid, record.gid, groups=dotlock_groups(settings), uid_min=uid_min)


def stage_of(location: MailboxLocation, settings: SpoolSettings) -> Stage:
    """Return the stage of a mailbox; touches no file yet."""
    match location.kind:
        case MailboxKind.MAILDIR:
            return MaildirStage(location)
        case MailboxKind.MBOX:
            return MboxStage(location, settings)
        case _:
            assert_never(location.kind)


class Carrier:
    """Carries from one source into one mailbox.

    Args:
        source: where the messages are.
        location: the mailbox.
        settings: of the spool.
        journal: where to remember what is under way; for this source alone, and out of others' reach.
        rights: those for working in the mailbox; for the rest, ours are right.
    """

    def __init__(
        self, source: Source, location: MailboxLocation, settings: SpoolSettings, journal: Path, rights: Rights
    ) -> None:
        self._source = source
        self._stage = stage_of(location, settings)
        self._journal = journal
        self._rights = rights

    def carry(self) -> int:
        """Carry all there is, and what comes meanwhile.

        Holds when it returns; a crash before that leaves it to be called again.

        Returns:
            How many messages were carried, those included that a crash had interrupted.

        Raises:
            MailboxBusyError: another program uses the source or the mailbox, or writes to the source without end.
            SpoolError: trouble with either; what was carried is in the mailbox, and what was not is in the source.
        """
        carried = self.finish()
        for _ in range(ROUNDS_MAX):
            try:
                with self._source.locked() as source:
                    found = source.find()
                if not found.taken:
                    return carried
                carried += self._carry(found)
            except MailboxChangedError:
                continue
        raise MailboxBusyError("another program keeps changing it")

    def finish(self) -> int:
        """Do what a crash left undone, and return how many messages that were. Holds when it returns.

        Raises:
            SpoolError: as ``carry``.
        """
        carrying = load_carrying(self._journal)
        if carrying is None:
            return 0
        with self._source.locked() as source:
            self._complete(carrying, source)
        return len(carrying.staged)

    def _carry(self, found: Found) -> int:
        with self._rights():
            self._stage.clear()
            staged = self._stage.write(found.messages)
        carrying = Carrying(staged, found.taken)
        with self._source.locked() as source:
            now = source.find().taken
            if list(now[: len(found.taken)]) != list(found.taken):
                raise MailboxChangedError("another program changed what was to be carried")
            save_carrying(self._journal, carrying)
            self._complete(carrying, source)
        return len(staged)

    def _complete(self, carrying: Carrying, source: OpenSource) -> None:
        with self._rights():
            self._stage.publish(carrying.staged)
        source.remove(carrying.taken)
        remove_carrying(self._journal)
