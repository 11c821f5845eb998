"""The former mailboxes of one user: kept until they are discarded, and watched for mail that comes too late."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from spool import durable
from spool.carrying.carry import Carrier, Rights
from spool.carrying.journals import UserJournals
from spool.converting.late import OwnersSource, is_being_written, late_source
from spool.converting.places import name_to_keep, places_between
from spool.converting.record import Conversion, load_conversions, save_conversions
from spool.converting.switching import finish_switch
from spool.converting.writing import remove_built
from spool.errors import MailboxUnavailableError
from spool.homes import possible_locations
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mbox.mailbox import MboxMailbox
from spool.settings import SpoolSettings


class FormerMailboxes:
    """The former mailboxes of one user, as the record of conversions tells them.

    Args:
        record: ``spool.converting.record.record_path``.
        journals: of the user.
        settings: of the spool.
        rights: those for working in the home.
        locate: finds the user's mailbox as it is now.

    Raises:
        MailboxUnavailableError: the record cannot be read.
    """

    def __init__(
        self,
        record: Path,
        journals: UserJournals,
        settings: SpoolSettings,
        rights: Rights,
        locate: Callable[[], MailboxLocation],
    ) -> None:
        self._record = record
        self._journals = journals
        self._settings = settings
        self._rights = rights
        self._locate = locate
        self._conversions: Sequence[Conversion] = load_conversions(record)

    # -- a conversion under way ---------------------------------------------------------------------------------------

    def begin(self, conversion: Conversion) -> None:
        """Remember that a mailbox is about to become a former one. Holds when it returns."""
        self._save([*self._conversions, conversion])

    def abandon(self, conversion: Conversion) -> None:
        """Forget it: it has not."""
        self._save([other for other in self._conversions if other != conversion])

    def complete(self, conversion: Conversion) -> None:
        """Remember that it has. Losing that to a crash does no harm."""
        self._save([replace(other, complete=True) if other == conversion else other for other in self._conversions])

    def finish(self) -> None:
        """Finish, or undo, a conversion that a crash interrupted. Holds when it returns.

        Raises:
            MailboxUnavailableError: no template leads to its mailboxes any more.
            SpoolError: it could not be done.
        """
        for conversion in [one for one in self._conversions if not one.complete]:
            places = places_between(conversion.source, conversion.target, self._locate(), self._settings)
            if places is None:
                raise MailboxUnavailableError(f"{self._record}: the templates of mailboxes have changed since")
            with self._rights():
                in_use = finish_switch(places, conversion, self._settings)
            if in_use:
                self.complete(conversion)
            else:
                self.abandon(conversion)

    # -- late mail ----------------------------------------------------------------------------------------------------

    def sweep(self) -> int:
        """Carry what came to former mailboxes into the present one, and return how many messages that were.

        Holds when it returns; a crash before that leaves it to be called again.

        Raises:
            SpoolError: not all of it could be carried.
        """
        if not self._conversions:
            return 0
        self._put_away_revived()
        location = self._locate()
        carried = 0
        for conversion, former in self._kept(location):
            kept = former.path.with_name(conversion.kept)
            source = late_source(former, conversion, self._settings)
            try:
                carried += Carrier(
                    OwnersSource(source, self._rights),
                    location,
                    self._settings,
                    self._journals.carrying(kept),
                    self._rights,
                ).carry()
            finally:
                source.close()
        return carried

    def being_written(self) -> Sequence[Path]:
        """Return the former mailboxes into which somebody may still be writing a message."""
        return [
            former.path.with_name(conversion.kept)
            for conversion, former in self._kept(self._locate())
            if is_being_written(former, conversion)
        ]

    def _put_away_revived(self) -> None:
        """Put away what a program that does not know of the conversion has made anew where a former mailbox was.

        It is a former mailbox, too, with nothing in it that was converted.
        """
        by_name = self._by_name(self._locate())
        complete = [conversion for conversion in self._conversions if conversion.complete]
        present = by_name.get(complete[-1].target) if complete else None
        if present is None or not os.path.lexists(present.path):
            return
        for conversion, former in self._kept(present):
            if former == present or not os.path.lexists(former.path):
                continue
            kept = name_to_keep(former.path)
            self._save([*self._conversions, replace(conversion, kept=kept, end=0, bases=())])
            with self._rights(), contextlib.ExitStack() as stack, durable.storage_errors(former.path):
                if former.kind is MailboxKind.MBOX:
                    stack.enter_context(MboxMailbox(replace(former, found=True), self._settings).locked())
                durable.rename(former.path, former.path.with_name(kept))
                durable.sync_directory(former.path.parent)

    # -- what is kept -------------------------------------------------------------------------------------------------

    def first_kind(self) -> MailboxKind | None:
        """Return what kind the mailbox was before it was first converted, None if that is not known."""
        by_name = self._by_name(self._locate())
        former = [by_name[one.source] for one in self._conversions if one.complete and one.source in by_name]
        return former[0].kind if former else None

    def due(self, *, before: float) -> Sequence[Conversion]:
        """Return the conversions, begun before a moment, of which a former mailbox is kept."""
        return [one for one, _ in self._kept(self._locate()) if one.began_at <= before]

    def discard(self, *, before: float) -> int:
        """Remove former mailboxes that are kept since before a moment, and return how many.

        Holds when it returns. A crash before that may leave a part of one, and running it again removes the rest.
        """
        due = self.due(before=before)
        by_name = self._by_name(self._locate())
        for conversion in due:
            with self._rights():
                remove_built(by_name[conversion.source].path.with_name(conversion.kept))
            self.abandon(conversion)
        return len(due)

    def _kept(self, location: MailboxLocation) -> Sequence[tuple[Conversion, MailboxLocation]]:
        """Find the former mailboxes that are there, and where they were."""
        by_name = self._by_name(location)
        return [
            (one, by_name[one.source])
            for one in self._conversions
            if one.complete and one.source in by_name and os.path.lexists(by_name[one.source].path.with_name(one.kept))
        ]

    def _by_name(self, location: MailboxLocation) -> Mapping[str, MailboxLocation]:
        owner = {"uid": location.uid, "gid": location.gid}
        locations = possible_locations(location.user, **owner, home=location.home, settings=self._settings)
        return {one.state_name: one for one in locations}

    def _save(self, conversions: Sequence[Conversion]) -> None:
        save_conversions(self._record, conversions)
        self._conversions = conversions
