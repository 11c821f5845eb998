"""The messages of a Maildir as they are now, read again only if something has changed.

A snapshot is looked for in this process's memory, then in a file beside the mailbox, each of them good only if the
stamps in it are those of now (``spool.stamps``, and docs/explanation/kept-snapshots.md).
"""

from __future__ import annotations

from collections.abc import Callable

from spool.kept_snapshots import KeptSnapshots
from spool.mailbox import MailboxLocation
from spool.maildir.directories import MessageDirectories
from spool.maildir.listing_file import ListingFile
from spool.maildir.snapshot import MaildirSnapshot, Stamps, read_snapshot


def current_snapshot(
    location: MailboxLocation,
    directories: MessageDirectories,
    kept: KeptSnapshots,
    *,
    make_name: Callable[[], str] | None,
    clock_ns: Callable[[], int],
) -> MaildirSnapshot:
    """Return the messages as they are now: the kept snapshot if nothing has changed since, else a new one.

    Args:
        location: of the mailbox.
        directories: of the Maildir, opened for this session.
        kept: where it may be kept; a new one is kept if every later change will show.
        make_name: makes a name that no message has, to mend what has one name twice; None if another session has the
            lock, so that nothing may be mended.
        clock_ns: nanoseconds since 1970.

    Raises:
        SpoolError: the unique-ids cannot be read.
        OSError: the directories cannot be read.
    """
    now_ns = clock_ns()  # before the stamps, so that they look rather younger than older
    stamps = Stamps.take(location, directories)
    kept_here = kept.find(location, MaildirSnapshot)
    if kept_here is not None and kept_here.stamps == stamps:
        return kept_here
    listing = ListingFile(location)
    snapshot = listing.load(stamps)
    if snapshot is None:
        snapshot = read_snapshot(location, directories, stamps, make_name)
        if not (snapshot.complete and stamps.are_settled(now_ns)):
            kept.forget(location)
            return snapshot
        if make_name is not None:
            listing.save(snapshot)
    kept.keep(location, snapshot, snapshot.octets)
    return snapshot
