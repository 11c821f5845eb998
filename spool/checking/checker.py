"""Checking a whole site, and mending it on the way.

First the site's own files, then each user's home, then what else lies below the spool root. Nothing is locked for
looking. What looks wrong is looked at once more before it is told, because mail is delivered and read, and users are
added and moved, meanwhile: only what both looks found is a finding. Memory depends on what is wrong in one home, not
on the number of users.

Repair mends each finding when it is told, under the session locks of the home it is in; a home in use is put off. What
is no longer so by then is left.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.checking import kinds
from spool.checking.census import Census
from spool.checking.changes import CompileAssign
from spool.checking.file_systems import check_file_systems
from spool.checking.findings import Finding, can_be_gone_through
from spool.checking.homes import check_account, check_link, check_owner_and_mode, open_home, place_of_home
from spool.checking.kinds import Severity
from spool.checking.mailboxes import check_mailboxes
from spool.checking.mboxes import check_home_leftovers, check_mbox_directory
from spool.checking.mending import Mender
from spool.checking.rehash_state import RehashState
from spool.checking.repairing import Outcome, SessionGuard, Told, mended
from spool.checking.roster_lock import roster_locked
from spool.checking.site_files import check_compiled, check_domains, check_leftovers, check_secrets, check_writers
from spool.checking.spool_root import check_root
from spool.checking.state_files import check_state
from spool.checking.undo_record import UndoRecord
from spool.checking.view import Account, Home, View
from spool.errors import DirectoryUnavailableError, NoSuchUserError, SpoolError
from spool.file_systems import Mounts
from spool.maintenance import maintenance
from spool.names import UserName
from spool.progress import NoProgress, Progress, counted
from spool.settings import SpoolSettings
from spool.site import Site

SiteCheck: TypeAlias = Callable[[View], Iterator[Finding]]
HomeCheck: TypeAlias = Callable[[Home, View], Iterator[Finding]]

SITE_CHECKS: Final[Sequence[SiteCheck]] = (check_writers, check_secrets, check_leftovers, check_compiled, check_domains)
HOME_CHECKS: Final[Sequence[HomeCheck]] = (
    check_owner_and_mode,
    check_state,
    check_mailboxes,
    check_home_leftovers,
    check_link,
    check_account,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to check.

    Attributes:
        users: only these users' homes; None for the whole site.
        deep: read mail, too.
        repair: mend what is safe.
        secrets: further files that only their owner may read.
        account_of: asks getpw(); None to ask nobody.
    """

    users: tuple[UserName, ...] | None = None
    deep: bool = False
    repair: bool = False
    secrets: tuple[Path, ...] = ()
    account_of: Callable[[str], Account | None] | None = None


@dataclass(slots=True)
class Summary:
    """What a check came to. ``undo_record`` is there if anything was changed."""

    users: int = 0
    undo_record: Path | None = None
    severities: dict[Severity, int] = field(default_factory=lambda: dict.fromkeys(Severity, 0))
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    needs_person: bool = False

    def add(self, told: Told) -> None:
        """Count a finding."""
        self.severities[told.finding.severity] += 1
        self.outcomes[told.outcome] += 1
        if told.outcome is Outcome.FAILED or (
            told.outcome is Outcome.FOUND and told.finding.severity is Severity.PERSON
        ):
            self.needs_person = True


def check_spool(
    site: Site,
    settings: SpoolSettings,
    wanted: Wanted,
    tell: Callable[[Told], None],
    *,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.time,
    statvfs: Callable[[int], os.statvfs_result] = os.fstatvfs,
    mounts: Mounts | None = None,
) -> Summary:
    """Check a site's spool, and mend it if that is wanted. It may be stopped at any moment, and run again.

    Each change holds when its finding is told. A crash leaves each change made or not, and what was made recorded.

    Args:
        site: the site.
        settings: of its spool.
        wanted: what to check.
        tell: hears of each finding as it is found.
        progress: hears how far it is.
        clock: seconds since 1970.
        statvfs: asks how full a file system is.
        mounts: what is mounted.

    Raises:
        NoSuchUserError: one of the users is not assigned.
        DirectoryUnavailableError: the users cannot be read.
        MaintenanceBusyError: something is to be mended while another operation runs on the site.
    """
    view = View(
        site=site,
        settings=settings,
        directory=AssignDirectory(site.assign_compiled),
        now=clock,
        deep=wanted.deep,
        secrets=wanted.secrets,
        account_of=wanted.account_of,
        statvfs=statvfs,
        rehash=RehashState(site.maintenance),
    )
    with contextlib.ExitStack() as stack:
        mender = record = None
        if wanted.repair:
            directory = stack.enter_context(maintenance(site))
            record = UndoRecord(directory, clock=clock)
            stack.callback(record.close)
            mender = Mender(directory, record)
        check = _Check(view, tell, mender, progress or NoProgress(), mounts or Mounts())
        if wanted.users is None:
            check.everything()
        else:
            check.users(wanted.users)
        if record is not None and record.begun:
            check.summary.undo_record = record.path
    return check.summary


class _Check:
    """One run over a site."""

    def __init__(
        self, view: View, tell: Callable[[Told], None], mender: Mender | None, progress: Progress, mounts: Mounts
    ) -> None:
        self._view = view
        self._tell = tell
        self._mender = mender
        self._progress = progress
        self._mounts = mounts
        self.summary = Summary()

    def everything(self) -> None:
        for check in SITE_CHECKS:
            self._site_findings(check)
        try:
            self._spool_findings()
        except DirectoryUnavailableError as error:
            self._take([Finding(kinds.USERS_UNKNOWN, self._view.site.assign_compiled, str(error))])

    def _spool_findings(self) -> None:
        census = Census(self._view)
        root_is_there = self._view.settings.root.is_dir()
        users = counted(self._view.directory.users(), self._progress, "users", census.users)
        for user, record in users:
            if root_is_there or not self._view.is_below_root(record.home):
                self._home_findings(user, record, census)
        self._take(census.findings())
        for directory in census.mbox_directories:
            self._take(check_mbox_directory(directory, self._view))
        self._take(check_root(self._view, census, self._progress))
        directories = (self._view.settings.root, *census.examples)
        self._take(check_file_systems(self._view, directories, self._mounts))

    def users(self, users: Iterable[UserName]) -> None:
        census = Census(self._view)
        for user in counted(users, self._progress, "users"):
            self._home_findings(user, self._view.directory.user(user), census)

    def _site_findings(self, check: SiteCheck) -> None:
        """Tell what a check finds twice, the second time while no user is added or removed."""
        first = {finding.key for finding in check(self._view)}
        if not first:
            return
        with roster_locked(self._view.site) as held:
            for finding in check(self._view):
                if finding.key not in first:
                    continue
                if any(isinstance(change, CompileAssign) for change in finding.changes) and not held:
                    self._note(Told(finding, Outcome.BUSY, "users are being added or removed"))
                else:
                    self._take([finding])

    def _home_findings(self, user: UserName, record: AssignRecord, census: Census) -> None:
        self.summary.users += 1
        census.count_place(user, record)
        first = {finding.key for finding in self._look(user, record, census, count=True)}
        if not first:
            return
        # A user who is being removed has no home and no link before they are gone: nobody is, during the second look.
        with roster_locked(self._view.site), contextlib.suppress(NoSuchUserError):
            record = self._view.directory.user(user)  # they may have been moved, or removed
            with contextlib.ExitStack() as locks:
                guard = SessionGuard(user, record, place_of_home(record, self._view), self._view.settings, locks)
                for finding in self._look(user, record, census):
                    if finding.key in first:
                        self._note(mended(self._mender, finding, guard))

    def _look(self, user: UserName, record: AssignRecord, census: Census, *, count: bool = False) -> Iterator[Finding]:
        yield from census.check_assignment(user, record)
        home = open_home(user, record, self._view)
        if isinstance(home, Finding):
            yield home
            return
        try:
            if count:
                census.count_home(home)
            # In a home of somebody else nothing is certain to be the user's.
            is_usable = home.status.st_uid in {0, record.uid} and can_be_gone_through(home.status)
            for check in HOME_CHECKS if is_usable else (check_owner_and_mode,):
                try:
                    yield from check(home, self._view)
                except (OSError, SpoolError) as error:
                    yield Finding(kinds.NOT_LOOKED_AT, home.path, str(error), user)
        finally:
            os.close(home.descriptor)

    def _take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._note(mended(self._mender, finding))

    def _note(self, told: Told) -> None:
        self.summary.add(told)
        self._tell(told)
