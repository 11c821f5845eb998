"""A mailbox as the sources of ids look at it: its messages in order, and what ids are made of.

It may be one of ours already, or still the old server's: whoever holds an mbox under its locks can have it looked at.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from spool.durable import storage_errors
from spool.foreign_ids.header import read_header
from spool.kept_snapshots import KEEPS_NOTHING
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.directories import MessageDirectories, Place
from spool.maildir.snapshot import current_snapshot
from spool.mbox.blocks import BlockReader, read_at
from spool.mbox.from_line import LINE_OCTETS_MAX
from spool.mbox.locks import HeldMbox
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.scan import first_start
from spool.mbox.snapshot import take_snapshot
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.unique_ids import keys_of_names


class Head(NamedTuple):
    """What stands before a message's body, as stored: the From_ line of an mbox (else empty), and the header.

    ``header`` is None if it is too long to be looked at, or the message has gone.
    """

    from_line: bytes
    header: bytes | None


@dataclass(frozen=True, slots=True)
class OldMessage:
    """One message.

    Attributes:
        key: what ``spool.unique_ids`` knows it by in a mailbox of this kind.
        wire_octets: its size as RETR sends it.
        base: its name in a Maildir, up to the first colon; None in an mbox.
        head: reads what stands before its body; only while the mailbox is open.
    """

    key: str
    wire_octets: int
    base: str | None
    head: Callable[[], Head]


@dataclass(frozen=True, slots=True)
class OldMailbox:
    """All messages of one mailbox.

    Attributes:
        user: whose.
        path: of the Maildir or the mbox; files of the old server may lie beside the messages.
        kind: its format.
        messages: in order; the message in which IMAP servers keep a mailbox's state is none of them.
        first_header: in an mbox the header of the first message, or of that of the IMAP server; empty in a Maildir.
    """

    user: UserName
    path: Path
    kind: MailboxKind
    messages: Sequence[OldMessage]
    first_header: bytes


FoundIds: TypeAlias = Sequence[str | None]
"""The id of each message on the old server, None where there was none that could be told."""

IdFinder: TypeAlias = Callable[[OldMailbox], FoundIds]


@contextlib.contextmanager
def opened(location: MailboxLocation, settings: SpoolSettings) -> Iterator[OldMailbox]:
    """Open one of our own mailboxes, an mbox under its locks. The session lock is the caller's to take.

    Raises:
        MailboxBusyError: the mbox's locks were not free in time.
        SpoolError: it cannot be read.
    """
    with contextlib.ExitStack() as stack, storage_errors(location.path):
        if location.kind is MailboxKind.MAILDIR:
            directories = MessageDirectories(location.path)
            stack.callback(directories.close)
            yield _of_maildir(location, directories)
            return
        try:
            mbox = stack.enter_context(MboxMailbox(location, settings).locked())
        except FileNotFoundError:
            yield OldMailbox(location.user, location.path, location.kind, (), b"")
            return
        yield of_mbox(location.user, location.path, mbox, unquote=settings.mbox_unquote)


def of_mbox(user: UserName, path: Path, mbox: HeldMbox, *, unquote: bool) -> OldMailbox:
    """Look at an mbox, ours or not, that the caller holds under its locks.

    Args:
        user: whose it is.
        path: where it lies.
        mbox: the open file.
        unquote: whether sizes are those of messages whose mboxrd quoting is undone.

    Raises:
        MailboxUnavailableError: it is not an mbox.
        OSError: it cannot be read.
    """
    snapshot = take_snapshot(mbox, unquote=unquote)
    messages = []
    for number, (key, octets) in enumerate(zip(snapshot.keys, snapshot.wire_octets, strict=True), 1):
        start, stop = snapshot.content(number)
        messages.append(OldMessage(key, octets, None, functools.partial(_mbox_head, mbox.descriptor, start, stop)))
    return OldMailbox(user, path, MailboxKind.MBOX, messages, _first_header(mbox))


def _of_maildir(location: MailboxLocation, directories: MessageDirectories) -> OldMailbox:
    snapshot = current_snapshot(location, directories, KEEPS_NOTHING, make_name=None, clock_ns=time.time_ns)
    columns = zip(keys_of_names(snapshot.bases), snapshot.wire_octets, snapshot.bases, snapshot.places, strict=True)
    messages = [
        OldMessage(key, octets, base, functools.partial(_maildir_head, directories, base, place))
        for key, octets, base, place in columns
    ]
    return OldMailbox(location.user, location.path, location.kind, messages, b"")


def _maildir_head(directories: MessageDirectories, base: str, place: Place) -> Head:
    try:
        descriptor = directories.open_file(base, place)
    except FileNotFoundError:  # another program has moved or removed it since
        return Head(b"", None)
    try:
        octets = os.fstat(descriptor).st_size
        return Head(b"", read_header(lambda start, count: read_at(descriptor, start, count), octets))
    finally:
        os.close(descriptor)


def _mbox_head(descriptor: int, start: int, stop: int) -> Head:
    before = read_at(descriptor, max(start - LINE_OCTETS_MAX, 0), min(start, LINE_OCTETS_MAX))
    from_line = before[before.rfind(b"\n", 0, -1) + 1 :]
    return Head(from_line, read_header(lambda at, count: read_at(descriptor, start + at, count), stop - start))


def _first_header(mbox: HeldMbox) -> bytes:
    octets = os.fstat(mbox.descriptor).st_size
    reader = BlockReader(mbox.descriptor, octets, before_block=mbox.keep_alive)
    content = reader.find(b"\n", first_start(reader)) + 1
    return _mbox_head(mbox.descriptor, content, octets).header or b"" if content else b""
