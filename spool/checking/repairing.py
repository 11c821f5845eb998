"""Mending a finding under the session locks of its home, and what became of it."""

from __future__ import annotations

import contextlib
import enum
import os
from dataclasses import dataclass
from pathlib import Path

from spool.assign import AssignRecord
from spool.checking.changes import Change, CompileAssign
from spool.checking.findings import Finding
from spool.checking.mending import Mender
from spool.checking.places import Place
from spool.checking.session_locks import LOCK_SUFFIX, concerns_sessions, sessions_locked
from spool.errors import MailboxBusyError, SpoolError
from spool.homes import STATE_DIRECTORY, possible_locations
from spool.names import UserName
from spool.settings import SpoolSettings


class Outcome(enum.Enum):
    """What became of a finding."""

    FOUND = "found"
    MENDED = "mended"
    GONE = "gone"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, what became of it, and why it was not mended if that was tried."""

    finding: Finding
    outcome: Outcome
    reason: str = ""


class SessionGuard:
    """Keeps sessions out of one home, from the first change in it on until the last.

    Args:
        user: whose home.
        record: their assignment.
        home: where the home is.
        settings: of the spool.
        held: releases the locks.
    """

    def __init__(
        self,
        user: UserName,
        record: AssignRecord,
        home: Path,
        settings: SpoolSettings,
        held: contextlib.ExitStack,
    ) -> None:
        self._user = user
        self._record = record
        self._home = home
        self._settings = settings
        self._held = held
        self._is_held = False

    def hold(self) -> None:
        """Take the session locks, unless they are held.

        Raises:
            MailboxBusyError: a session is open.
            SpoolError: they cannot be taken.
            OSError: they cannot be taken.
        """
        if self._is_held:
            return
        home = self._home
        owner = (self._record.uid, self._record.gid)
        locations = possible_locations(self._user, uid=owner[0], gid=owner[1], home=home, settings=self._settings)
        read = next((location for location in locations if os.path.lexists(location.path)), locations[-1])
        state = Place(home.parent, (home.name, STATE_DIRECTORY))
        self._held.enter_context(sessions_locked(state, (f"{read.state_name}{LOCK_SUFFIX}",), owner))
        self._is_held = True


def mended(mender: Mender | None, finding: Finding, guard: SessionGuard | None = None) -> Told:
    """Mend a finding, if that is wanted and can be done."""
    if mender is None or not finding.changes:
        return Told(finding, Outcome.FOUND)
    try:
        if guard is not None and any(map(_concerns_sessions, finding.changes)):
            guard.hold()
        made = [mender.make(change) for change in finding.changes]
    except MailboxBusyError as error:
        return Told(finding, Outcome.BUSY, str(error))
    except (OSError, SpoolError) as error:
        return Told(finding, Outcome.FAILED, str(error))
    return Told(finding, Outcome.MENDED if any(made) else Outcome.GONE)


def _concerns_sessions(change: Change) -> bool:
    return not isinstance(change, CompileAssign) and concerns_sessions(change.place)
