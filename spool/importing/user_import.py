"""Importing the old mail of one user."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from spool.assign import AssignRecord
from spool.carrying.carry import Carrier, Source, owner_rights
from spool.carrying.journals import UserJournals
from spool.carrying.mbox_source import MboxPlace, MboxSource
from spool.durable import storage_errors
from spool.errors import MailboxBusyError, MailboxUnavailableError, SpoolError
from spool.foreign_ids.old_mailbox import IdFinder, of_mbox
from spool.homes import locate_mailbox, make_mailbox
from spool.importing.old_files import count_messages, place_beside, place_of_mbox, trusted_owner
from spool.importing.old_spool import OldMail, aside_of
from spool.importing.options import Emptied, ImportOptions, Outcome, UserImported
from spool.importing.retiring import leads_to, put_aside, remove_aside, undo_half
from spool.importing.with_drop import MboxWithDrop
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName
from spool.settings import SpoolSettings

_MakePlace: TypeAlias = Callable[[Path, UserName, AssignRecord, SpoolSettings, UserJournals], MboxPlace]


class UserImport:
    """One user's old mail, on its way into their mailbox.

    Args:
        mail: what the old spool has.
        record: of the user.
        settings: of the spool.
        options: what shall be done.
        maintenance: the directory of ``spool.maintenance``, whose lock is held.
        uid_min: nobody below gets anything.
    """

    def __init__(
        self,
        mail: OldMail,
        record: AssignRecord,
        settings: SpoolSettings,
        options: ImportOptions,
        maintenance: Path,
        *,
        uid_min: int,
    ) -> None:
        self._mail = mail
        self._record = record
        self._settings = settings
        self._options = options
        self._journals = UserJournals(maintenance, mail.user)
        self._rights = owner_rights(record, settings, uid_min=uid_min)
        self._carried = 0

    def run(self) -> UserImported:
        """Import it, or count it in a dry run, and say how it went: trouble of one user is not the others'."""
        outcome, detail = Outcome.DONE, None
        try:
            with storage_errors(self._mail.mbox):
                if self._options.dry_run:
                    self._carried = self._count()
                else:
                    self._journals.make()
                    self._import()
        except MailboxBusyError as error:
            outcome, detail = Outcome.BUSY, str(error)
        except SpoolError as error:
            outcome, detail = Outcome.TROUBLE, str(error)
        self._journals.tidy()
        return UserImported(self._mail.user, self._mail.mbox, outcome, self._carried, detail)

    def _count(self) -> int:
        aside = self._counted(self._mail.aside).total() if self._mail.aside else 0
        if leads_to(self._mail.mbox, self._location().path):
            return aside
        found = self._counted(self._mail.mbox)
        if self._mail.drop is not None:
            found |= self._counted(self._mail.drop)
        return aside + found.total()

    def _counted(self, path: Path) -> Counter[str]:
        trusted_owner(path, self._mail.user, self._record)
        return count_messages(path, unquote=self._settings.mbox_unquote)

    def _import(self) -> None:
        location = self._location()
        if self._mail.aside is not None:
            undo_half(self._mail.mbox)
            self._sweep(self._mail.aside, location)
        linked = leads_to(self._mail.mbox, location.path)
        finder = self._options.ids.finder(self._mail.user) if self._options.ids else None
        with contextlib.ExitStack() as stack:
            drop = None
            if self._mail.drop is not None:
                drop = MboxSource(self._with_ids(self._place(place_beside, self._mail.drop), finder))
                stack.callback(drop.close)
            if linked:
                if drop is not None:
                    self._carry(drop, drop.place.path, location)
                    _refuse_remainder(drop)
                return
            mbox = MboxSource(self._with_ids(self._place(place_of_mbox, self._mail.mbox), finder))
            stack.callback(mbox.close)
            self._carry(MboxWithDrop(mbox, drop) if drop else mbox, self._mail.mbox, location)
            if self._options.emptied is not Emptied.KEEP and self._mail.there:
                self._retire(mbox, location)
            if drop is not None:
                _refuse_remainder(drop)

    def _retire(self, mbox: MboxSource, location: MailboxLocation) -> None:
        link_to = None
        if self._options.emptied is Emptied.LINK:
            if location.kind is not MailboxKind.MBOX:
                raise MailboxUnavailableError(f"{self._mail.mbox}: a link to {location.path} would lead to a Maildir")
            with self._rights():
                make_mailbox(location)
            link_to = location.path
        if put_aside(mbox, link_to=link_to):
            self._sweep(aside_of(self._mail.mbox), location)

    def _sweep(self, aside: Path, location: MailboxLocation) -> None:
        """Carry what has come to an mbox that is aside; then it may have been there for long enough."""
        source = MboxSource(self._place(place_beside, aside))
        try:
            self._carry(source, aside, location)
            remove_aside(source)
        finally:
            source.close()

    def _carry(self, source: Source, path: Path, location: MailboxLocation) -> None:
        journal = self._journals.carrying(path)
        self._carried += Carrier(source, location, self._settings, journal, self._rights).carry()

    def _place(self, make: _MakePlace, path: Path) -> MboxPlace:
        return make(path, self._mail.user, self._record, self._settings, self._journals)

    def _with_ids(self, place: MboxPlace, finder: IdFinder | None) -> MboxPlace:
        if finder is None:
            return place
        user, unquote = self._mail.user, self._settings.mbox_unquote
        return replace(place, find_ids=lambda mbox: finder(of_mbox(user, place.path, mbox, unquote=unquote)))

    def _location(self) -> MailboxLocation:
        record = self._record
        return locate_mailbox(
            self._mail.user, uid=record.uid, gid=record.gid, home=record.home, settings=self._settings
        )


def _refuse_remainder(drop: MboxSource) -> None:
    """See that nothing is left in a drop from which all mail was carried away.

    What is left is the beginning of a message that qpopper was killed over. It may be the only trace of that message,
    so it is no program's to remove.

    Raises:
        MailboxUnavailableError: something is left.
    """
    with drop.locked() as opened:
        octets = opened.remainder()
    if octets:
        raise MailboxUnavailableError(
            f"{drop.place.path}: its mail was imported, but its last {octets} octets are no whole message and stay; "
            "look at them, and remove the file"
        )
