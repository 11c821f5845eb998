"""Moving the homes of a live spool: batch by batch, each journalled, carried out, synced and published as a whole.

**The order of steps.** The layout setting is changed first, so that whoever is added meanwhile is put where everybody
will be. Then, for each batch: a line in the journal; each home changes places with a link to it, under its session
lock; the file systems are synced; one ``assign.cdb`` is published; home links follow; a line in the journal. When the
links have stood for long enough they are removed, and old homes of which copies were made some time after that.

**What a reader sees.** Whoever looks a home up finds the old place or the new one. The home, or the link to it, is at
the old place until long after the new one was published; at the new place it is from before that. So there is no moment
in which a mailbox is missing, whichever of the two is looked up, and none in which it is at both.

**After a crash** the open batch is carried out once more. Each step finds out by itself what is done already.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from spool import durable
from spool.acting_as import acting_as, dotlock_groups
from spool.assign_directory import AssignDirectory
from spool.assign_edits import HomeMove
from spool.errors import MailboxBusyError, SpoolError
from spool.maintenance import maintenance
from spool.names import UserName
from spool.progress import Progress
from spool.rehash.copier import Copier, Manifests
from spool.rehash.directories import DeviceOf, HashDirectories, device_of
from spool.rehash.journal import Batch, Journal, KeptHome
from spool.rehash.late_mail import LateMail
from spool.rehash.layout_setting import set_layout
from spool.rehash.mover import Mover, leads
from spool.rehash.moves import Move, RehashError, Trouble
from spool.rehash.outside import OutsideMboxes
from spool.rehash.planning import Planner, Wanted
from spool.rehash.settings import RehashSettings
from spool.roster import Roster
from spool.settings import SpoolSettings
from spool.site import Site

BATCH_MAILBOXES: Final = 10_000
"""Mailboxes in a batch. Publishing takes a second for each 100,000 users of the site, however few were moved
(``bench/rehash.py``)."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a rehash works with besides the site.

    Attributes:
        times: how long links and old homes stay.
        uid_min: nobody below is acted for.
        batch: mailboxes in a batch.
        device_of: tells file systems apart.
        clock: seconds since 1970.
        monotonic: seconds from an arbitrary moment.
        sleep: waits for so many seconds.
    """

    times: RehashSettings
    uid_min: int
    batch: int = BATCH_MAILBOXES
    device_of: DeviceOf = device_of
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Report:
    """What a run came to.

    Attributes:
        moved: users moved, those of a batch that a crash had interrupted included.
        seconds: what moving and publishing them took.
        busy: users whose mailbox was in use, also when it was tried again.
        waiting: users who were copied before, and are copied again only when that old home may be removed, and is.
        failed: users who were not moved, or whose old home cannot be removed, and why.
        obstacles: what is in the way; nothing was moved then.
        links_removed: links taken away.
        late: messages that had come to old homes, and were taken along.
        kept: old homes on another file system that are still there.
        layout: the layout setting, if it was changed.
    """

    moved: int = 0
    seconds: float = 0.0
    busy: list[UserName] = field(default_factory=list)
    waiting: list[UserName] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    obstacles: Sequence[Trouble] = ()
    links_removed: int = 0
    late: int = 0
    kept: int = 0
    layout: str | None = None


def run(
    site: Site, settings: SpoolSettings, wanted: Wanted, means: Means, progress: Progress, *, rate: float | None = None
) -> Report:
    """Move everybody who is wanted, and tidy up what earlier runs have left; waits for the links' time to pass.

    Each batch holds once it is published. A crash leaves a batch that the next run carries out.

    Args:
        site: the site.
        settings: of its spool.
        wanted: who shall be moved where.
        means: what to work with.
        progress: told of mailboxes, links and old homes.
        rate: mailboxes a second at most; None for as many as possible.

    Raises:
        MaintenanceBusyError: another maintenance program runs.
        RehashError: another rehash is not finished, or the layout setting must be changed by hand; nothing was moved.
        SpoolError: something could not be read or written; run it again.
    """
    with maintenance(site) as directory:
        journal = Journal.load(directory)
        if journal is None or journal.to != wanted.to:
            if journal is not None and not journal.settled:
                raise RehashError(f"the rehash to {journal.to} is not finished: run it again, or undo it")
            journal = None
        work = _Work(site, settings, means, directory, progress, rate)
        if journal is not None:
            work.finish_open_batch(journal)
        plan = Planner(site, settings, work.directories).plan(wanted, progress)
        if plan.obstacles:
            work.report.obstacles = plan.obstacles
            return work.report
        if journal is None:
            journal = Journal.begin(directory, wanted.to)
        if wanted.whole and settings.layout != wanted.to:
            journal.change_layout(settings.layout)
            set_layout(site.settings_file, wanted.to)
            work.report.layout = wanted.to
        work.forget_trouble_of(plan.moves)
        work.move_all(journal, plan.moves)
        return work.report


def undo(
    site: Site,
    settings: SpoolSettings,
    users: frozenset[UserName] | None,
    means: Means,
    progress: Progress,
    *,
    rate: float | None = None,
) -> Report:
    """Move back everybody who was moved, or those of them who are named, in the same way.

    Holds and crashes as ``run``. First the links of the way there must have stood long enough. Who was copied stays
    until the old home has been kept for its time: somebody may still have a file of it open, and deliver.

    Raises:
        RehashError: there is nothing to undo, or the layout setting must be changed by hand.
        SpoolError: as ``run``.
    """
    with maintenance(site) as directory:
        journal = Journal.load(directory)
        if journal is None:
            raise RehashError("nothing was rehashed")
        work = _Work(site, settings, means, directory, progress, rate)
        work.finish_open_batch(journal)
        if users is None and journal.layout_before is not None:
            set_layout(site.settings_file, journal.layout_before)
            work.report.layout = journal.layout_before
            journal.change_layout(None)
        moved = [move for user, (move, _) in journal.moved.items() if users is None or user in users]
        work.forget_trouble_of(moved)
        work.remove_links(journal)
        work.remove_due_kept(journal, [move.user for move in moved])
        work.move_all(journal, [move.back for move in moved])
        return work.report


class _Work:
    """One run at work, under the maintenance lock."""

    def __init__(
        self,
        site: Site,
        settings: SpoolSettings,
        means: Means,
        maintenance_directory: Path,
        progress: Progress,
        rate: float | None,
    ) -> None:
        self._settings = settings
        self._means = means
        self._progress = progress
        self._pause = 0.0 if rate is None else 1 / rate
        self._roster = Roster(site, settings)
        self.directories = HashDirectories(settings.root, device_of=means.device_of)
        manifests = Manifests(maintenance_directory / "rehash-copies")
        groups = dotlock_groups(settings)

        def rights(move: Move) -> AbstractContextManager[None]:
            return acting_as(move.uid, move.gid, groups=groups, uid_min=means.uid_min)

        self._outside = OutsideMboxes(settings, self.directories)
        self._mover = Mover(settings, self.directories, self._outside, rights)
        self._copier = Copier(settings, self.directories, self._outside, rights, manifests)
        users = AssignDirectory(site.assign_compiled)
        self._late = LateMail(settings, users, manifests, maintenance_directory, uid_min=means.uid_min, now=means.clock)
        self.report = Report()

    # -- moving -------------------------------------------------------------------------------------------------------

    def finish_open_batch(self, journal: Journal) -> None:
        """Carry out a batch that a crash has interrupted; what is busy now is told, and stays where it is."""
        if journal.open is not None:
            self._progress.begin("mailboxes", len(journal.open.moves))
            self._carry_out(journal, journal.open)
            self.report.busy.clear()  # they are planned anew
            self.report.waiting.clear()

    def move_all(self, journal: Journal, moves: Sequence[Move]) -> None:
        """Move homes in batches, remove links and old homes whose time has come, and try again what was busy."""
        self._progress.begin("mailboxes", len(moves))
        for batch in _batches(moves, self._means.batch):
            self._carry_out(journal, journal.begin_batch(batch))
            self._remove_due_links(journal)
        self.remove_links(journal)
        if self.report.busy:
            again = frozenset(self.report.busy)
            self.report.busy.clear()
            self._progress.begin("mailboxes that were busy", len(again))
            self._carry_out(journal, journal.begin_batch([move for move in moves if move.user in again]))
            self.remove_links(journal)
        self._tidy_kept(journal)
        self.report.kept = len(journal.kept)

    def _carry_out(self, journal: Journal, batch: Batch) -> None:
        began = self._means.monotonic()
        moved: dict[UserName, tuple[int, int]] = {}
        copied: set[UserName] = set()
        self._prepare(batch.moves)
        for count, move in enumerate(batch.moves):
            self._keep_to_rate(began, count)
            self._progress.advance()
            try:
                if self._is_copied(move):
                    if move.user in journal.kept:
                        self.report.waiting.append(move.user)
                        continue
                    moved[move.user] = self._copier.move(move)
                    copied.add(move.user)
                else:
                    moved[move.user] = self._mover.move(move)
            except MailboxBusyError:
                self.report.busy.append(move.user)
            except SpoolError as error:
                self.report.failed.append(Trouble(move.user, str(error)))
        with durable.storage_errors(self._settings.root):
            self.directories.sync()
            self._outside.remove_old_names()
            for move in batch.moves:
                if move.user not in moved:
                    self._outside.abandon(move)
            for move in self._publish([move for move in batch.moves if move.user in moved]):
                self.report.failed.append(Trouble(move.user, "the assignment was changed meanwhile"))
                if move.user not in copied:
                    self._put_back(move)
                    del moved[move.user]
            self._move_home_links(move for move in batch.moves if move.user in moved)
            self.directories.sync()
        journal.end_batch(moved, copied & moved.keys(), self._means.clock())
        self.report.moved += len(moved)
        self.report.seconds += self._means.monotonic() - began

    def _prepare(self, moves: Iterable[Move]) -> None:
        """Make the names and directories that must be on disk before the homes are moved."""
        for move in moves:
            # Trouble comes again when this one is moved, and is told then.
            with contextlib.suppress(OSError):
                self.directories.make(move.new_directory)
                self._outside.prepare(move)
        with durable.storage_errors(self._settings.root):
            self.directories.sync()

    def _keep_to_rate(self, began: float, count: int) -> None:
        early = began + count * self._pause - self._means.monotonic()
        if self._pause and early > 0:
            self._means.sleep(early)

    def _is_copied(self, move: Move) -> bool:
        device = self.directories.device_below
        return device(move.old_directory) != device(move.new_directory)

    def _publish(self, moves: Iterable[Move]) -> Sequence[Move]:
        """Publish the new homes, and return those whose assignment is another one by now."""
        by_user = {move.user: move for move in moves}
        if not by_user:
            return ()
        left = self._roster.move_homes({user: HomeMove(move.old, move.new) for user, move in by_user.items()}).left
        return [by_user[user] for user in left]

    def _put_back(self, move: Move) -> None:
        try:
            self._mover.put_back(move)
        except SpoolError as error:
            self.report.failed.append(Trouble(move.user, str(error)))

    def _move_home_links(self, moves: Iterable[Move]) -> None:
        template = self._settings.home_link
        for move in moves if template is not None else ():
            link = Path(str(template).format_map({"user": move.user.text}))
            if link not in (move.old, move.new) and link.is_symlink() and link.readlink() == move.old:
                durable.replace_symlink(link, str(move.new))
                self.directories.touched(str(link.parent))

    def forget_trouble_of(self, moves: Iterable[Move]) -> None:
        """Of those who are moved now, tell no trouble that a batch finished before had with them."""
        users = {move.user for move in moves}
        self.report.failed = [trouble for trouble in self.report.failed if trouble.user not in users]

    # -- tidying up ---------------------------------------------------------------------------------------------------

    def remove_links(self, journal: Journal) -> None:
        """Remove all links, each when its time has come."""
        while journal.links:
            due = min(link.since for link in journal.links.values()) + self._means.times.link_seconds
            self._means.sleep(max(due - self._means.clock(), 0))
            self._remove_due_links(journal)

    def _remove_due_links(self, journal: Journal) -> None:
        due = self._means.clock() - self._means.times.link_seconds
        removed = {place: link for place, link in journal.links.items() if link.since <= due}
        if not removed:
            return
        with durable.storage_errors(self._settings.root):
            for place, link in removed.items():
                if leads(place, self.directories.text_of_link(place, link.leads_to)):
                    durable.remove(place)
                    self.directories.touched(str(place.parent))
                    self.report.links_removed += 1
            self.directories.remove_empty(str(place.parent) for place in removed)
            self.directories.sync()
        journal.remove_links(removed.keys())

    def _tidy_kept(self, journal: Journal) -> None:
        """Take late mail along from old homes, and remove those whose time has come."""
        self._progress.begin("old homes", len(journal.kept))
        for user, kept in list(journal.kept.items()):
            if self._is_due(kept):
                self._remove_kept(journal, user, kept.move)
            else:
                self._try(kept.move, partial(self._late.sweep, kept.move))
            self._progress.advance()

    def remove_due_kept(self, journal: Journal, users: Iterable[UserName]) -> None:
        """Remove those of the users' old homes whose time has come."""
        for user in users:
            kept = journal.kept.get(user)
            if kept is not None and self._is_due(kept):
                self._remove_kept(journal, user, kept.move)

    def _is_due(self, kept: KeptHome) -> bool:
        return kept.since + self._means.times.grace_seconds <= self._means.clock()

    def _remove_kept(self, journal: Journal, user: UserName, move: Move) -> None:
        if self._try(move, partial(self._late.remove, move)):
            with durable.storage_errors(self._settings.root):
                self.directories.remove_empty([move.old_directory])
                self.directories.sync()
            journal.forget_kept(user)

    def _try(self, move: Move, action: Callable[[], int]) -> bool:
        try:
            self.report.late += action()
        except MailboxBusyError:
            self.report.busy.append(move.user)
            return False
        except SpoolError as error:
            self.report.failed.append(Trouble(move.user, str(error)))
            return False
        return True


def _batches(moves: Sequence[Move], size: int) -> Iterable[Sequence[Move]]:
    rest = iter(moves)
    return iter(lambda: list(itertools.islice(rest, size)), [])
