"""Checks of where a user's mailboxes are: one in use, of the right kind, the user's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

from spool.checking import kinds
from spool.checking.changes import MakeDirectory
from spool.checking.findings import Finding
from spool.checking.maildirs import check_maildir
from spool.checking.mboxes import check_mbox, check_mbox_locks
from spool.checking.places import DIRECTORY, names_in
from spool.checking.view import Home, Seen, View
from spool.homes import MAILDIR_PARTS
from spool.mailbox import MailboxKind

_RIGHT_KIND: Final = {MailboxKind.MAILDIR: stat.S_ISDIR, MailboxKind.MBOX: stat.S_ISREG}


def check_mailboxes(home: Home, view: View) -> Iterator[Finding]:
    """One mailbox is there, or may be missing; it is what it should be, and so is each that it hides."""
    seen = []
    for location in home.locations:
        place = home.place_of(location)
        if (status := home.look_at(place)) is not None:
            seen.append(Seen(location, place, status))
    yield from _check_presence(home, seen)
    for each in seen:
        if not _RIGHT_KIND[each.location.kind](each.status.st_mode):
            detail = f"expected {each.location.kind.value}, found {stat.filemode(each.status.st_mode)}"
            yield Finding(kinds.MAILBOX_STRANGE, each.location.path, detail, home.user)
        elif each.location.kind is MailboxKind.MAILDIR:
            yield from check_maildir(home, each, view)
        else:
            yield from check_mbox(home, each, view)
    for location in home.locations:
        if location.kind is MailboxKind.MBOX:
            yield from check_mbox_locks(home, location, view)


def _check_presence(home: Home, seen: list[Seen]) -> Iterator[Finding]:
    if not seen:
        yield from _check_may_be_missing(home)
        return
    read, *hidden = seen
    for each in hidden:
        detail = f"{read.location.path} is read; here {_amount(each)}"
        kind = kinds.SECOND_MAILBOX if _has_mail(each) else kinds.SECOND_MAILBOX_EMPTY
        yield Finding(kind, each.location.path, detail, home.user)


def _check_may_be_missing(home: Home) -> Iterator[Finding]:
    last = home.locations[-1]
    if last.kind is MailboxKind.MBOX:
        if not last.path.is_relative_to(home.path) and not last.path.parent.is_dir():
            yield Finding(kinds.MAILBOX_MISSING, last.path.parent, "there is no such directory", home.user)
        return
    place = home.place_of(last)
    changes = (
        (MakeDirectory(place, home.owner), *(MakeDirectory(place.below(part), home.owner) for part in MAILDIR_PARTS))
        if place.home_uid is not None
        else ()
    )
    yield Finding(kinds.MAILBOX_MISSING, last.path, user=home.user, changes=changes)


def _has_mail(seen: Seen) -> bool:
    if stat.S_ISREG(seen.status.st_mode):
        return seen.status.st_size > 0
    return _count_messages(seen) > 0


def _amount(seen: Seen) -> str:
    if stat.S_ISREG(seen.status.st_mode):
        return f"{seen.status.st_size} octets"
    return f"{_count_messages(seen)} messages"


def _count_messages(seen: Seen) -> int:
    """Count what lies in ``new`` and ``cur``; 0 where that cannot be looked at."""
    count = 0
    for part in ("new", "cur"):
        place = seen.place.below(part)
        try:
            with place.for_looking.opened_parent() as parent:
                descriptor = os.open(part, DIRECTORY, dir_fd=parent)
        except OSError:
            continue
        try:
            count += sum(1 for name in names_in(descriptor) if not name.startswith("."))
        finally:
            os.close(descriptor)
    return count
