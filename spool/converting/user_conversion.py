"""Converting the mailbox of one user."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from spool.assign import AssignRecord
from spool.carrying.carry import owner_rights
from spool.carrying.journals import UserJournals
from spool.converting.former import FormerMailboxes
from spool.converting.options import Action, ConvertOptions, Outcome, UserConverted
from spool.converting.places import Places, name_to_keep, places_for
from spool.converting.reading import read_mailbox
from spool.converting.record import Conversion, record_path
from spool.converting.switching import switch
from spool.converting.writing import remove_built, write_mailbox
from spool.durable import storage_errors
from spool.errors import MailboxBusyError, MailboxChangedError, MailboxUnavailableError, SpoolError
from spool.homes import locate_mailbox, make_mailbox
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from spool.unique_ids import UniqueIdFile

ATTEMPTS_MAX: Final = 3
"""How often a mailbox is read again that other programs change meanwhile."""


class UserConversion:
    """One user's mailbox, to be converted.

    Args:
        user: whose.
        record: of the user.
        settings: of the spool.
        options: what shall be done.
        maintenance: the directory of ``spool.maintenance``, whose lock is held.
        uid_min: nobody below is touched.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        user: UserName,
        record: AssignRecord,
        settings: SpoolSettings,
        options: ConvertOptions,
        maintenance: Path,
        *,
        uid_min: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._user = user
        self._record = record
        self._settings = settings
        self._options = options
        self._clock = clock
        self._rights = owner_rights(record, settings, uid_min=uid_min)
        self._maintenance = maintenance
        self._done = UserConverted(user, Outcome.NOTHING)

    def run(self) -> UserConverted:
        """Do it, and say how it went: trouble of one user is not the others'."""
        journals = UserJournals(self._maintenance, self._user)
        try:
            with storage_errors(self._record.home):
                self._run(journals)
        except MailboxBusyError as error:
            self._done = replace(self._done, outcome=Outcome.BUSY, detail=str(error))
        except SpoolError as error:
            self._done = replace(self._done, outcome=Outcome.TROUBLE, detail=str(error))
        journals.tidy()
        return self._done

    def _run(self, journals: UserJournals) -> None:
        record = record_path(self._maintenance, self._user)
        former = FormerMailboxes(record, journals, self._settings, self._rights, self._locate)
        if self._options.dry_run:
            self._plan(former)
        else:
            journals.make()
            self._act(former, journals)
            self._done = replace(self._done, kind=self._locate().kind)

    def _act(self, former: FormerMailboxes, journals: UserJournals) -> None:
        former.finish()
        self._sweep(former)
        kind = self._kind_wanted(former)
        if self._options.action is Action.DISCARD:
            self._discard(former)
        elif kind is not None and self._locate().kind is not kind:
            if journals.under_way():
                raise MailboxUnavailableError(f"{self._user}: an import was broken off; run spool-import first")
            self._convert(former, kind)
            self._sweep(former)

    def _plan(self, former: FormerMailboxes) -> None:
        location, kind = self._locate(), self._kind_wanted(former)
        if self._options.action is Action.DISCARD:
            due = former.due(before=self._clock() - self._options.grace_seconds)
            outcome = Outcome.DONE if due else Outcome.NOTHING
            self._done = replace(self._done, outcome=outcome, kind=location.kind, discarded=len(due))
        elif kind is not None and location.kind is not kind:
            places_for(location, kind, self._settings)
            self._done = replace(self._done, kind=kind, outcome=Outcome.DONE)
        else:
            self._done = replace(self._done, kind=location.kind)

    def _sweep(self, former: FormerMailboxes) -> None:
        if late := former.sweep():
            self._done = replace(self._done, late=self._done.late + late, outcome=Outcome.DONE)

    def _discard(self, former: FormerMailboxes) -> None:
        if written := former.being_written():
            raise MailboxBusyError(f"{written[0]}: somebody may still be writing a message into it")
        if discarded := former.discard(before=self._clock() - self._options.grace_seconds):
            self._done = replace(self._done, discarded=discarded, outcome=Outcome.DONE)

    def _convert(self, former: FormerMailboxes, kind: MailboxKind) -> None:
        location = self._locate()
        places = places_for(location, kind, self._settings)
        with self._rights():
            if not location.found:
                make_mailbox(location)  # so that there is something to put away, and whoever comes late notices
            lock = SessionLock(location)
        try:
            for _ in range(ATTEMPTS_MAX):
                try:
                    self._attempt(former, places)
                except MailboxChangedError:
                    continue
                return
        finally:
            lock.release()
        raise MailboxBusyError(f"{location.path}: another program keeps changing messages")

    def _attempt(self, former: FormerMailboxes, places: Places) -> None:
        """Write the new mailbox, and switch to it unless messages were changed meanwhile.

        Raises:
            MailboxChangedError: they were; nothing has changed.
            SpoolError: it could not be done.
        """
        source, target = replace(places.source, found=True), places.target
        with contextlib.ExitStack() as stack:
            with self._rights():
                remove_built(places.built)
                read = stack.enter_context(read_mailbox(source, self._settings))
                retired = UniqueIdFile(source).retired()
                altered = write_mailbox(read.messages, retired, target, places.built, self._settings)
            kept = name_to_keep(source.path)
            conversion = read.remembered(Conversion(source.state_name, target.state_name, kept, began_at=self._clock()))
            former.begin(conversion)
            try:
                with self._rights(), read.settled():
                    switch(places, conversion)
            except (MailboxBusyError, MailboxChangedError):
                former.abandon(conversion)
                raise
            former.complete(conversion)
            self._done = replace(self._done, outcome=Outcome.DONE, messages=len(read.messages), altered=altered)

    def _kind_wanted(self, former: FormerMailboxes) -> MailboxKind | None:
        """The kind to convert to, None where there is nothing to convert."""
        if self._options.action is Action.UNDO:
            return former.first_kind()
        return self._options.action.kind

    def _locate(self) -> MailboxLocation:
        record = self._record
        return locate_mailbox(self._user, uid=record.uid, gid=record.gid, home=record.home, settings=self._settings)
