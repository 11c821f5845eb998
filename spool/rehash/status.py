"""How far a rehash is, read from its journal without disturbing it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from spool.rehash.journal import Journal, KeptHome, Link
from spool.rehash.settings import RehashSettings
from spool.site import Site


@dataclass(frozen=True, slots=True)
class Left:
    """What is still at old places: how many, and when the first may be removed, in seconds since 1970."""

    count: int
    due: float


@dataclass(frozen=True, slots=True)
class Status:
    """How far the rehash is.

    Attributes:
        to: the layout.
        layout_before: what the layout setting was; None if the rehash did not change it.
        batches: how many were published.
        moved: users moved, and not moved back.
        open_batch: how many mailboxes the batch has that was begun and not published; 0 if there is none.
        links: links at old places.
        kept: old homes on another file system.
    """

    to: str
    layout_before: str | None
    batches: int
    moved: int
    open_batch: int
    links: Left
    kept: Left


def read_status(site: Site, times: RehashSettings) -> Status | None:
    """Read it; None if nothing was ever rehashed.

    Raises:
        MailboxUnavailableError: the journal cannot be read.
    """
    journal = Journal.load(site.maintenance)
    if journal is None:
        return None
    return Status(
        to=journal.to,
        layout_before=journal.layout_before,
        batches=journal.batches,
        moved=len(journal.moved),
        open_batch=0 if journal.open is None else len(journal.open.moves),
        links=_left(journal.links.values(), times.link_seconds),
        kept=_left(journal.kept.values(), times.grace_seconds),
    )


def _left(those: Collection[Link] | Collection[KeptHome], seconds: float) -> Left:
    return Left(len(those), min((one.since for one in those), default=0.0) + seconds)
