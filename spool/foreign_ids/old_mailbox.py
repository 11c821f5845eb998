"""A mailbox as the sources of ids look at it: its messages in order, and what ids are made of.

It may be one of ours already, or still the old server's: whoever holds an mbox under its locks can have it looked at.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from spool.durable import storage_errors
from spool.foreign_ids.header import read_header
from spool.mailbox import MailboxKind, MailboxLocation
from spool.maildir.directories import MessageDirectories, Place, read_pieces
from spool.maildir.names import wire_octets_in
from spool.maildir.order import in_order
from spool.mbox.blocks import BlockReader, read_at
from spool.mbox.from_line import LINE_OCTETS_MAX
from spool.mbox.locks import HeldMbox
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.scan import first_start
from spool.mbox.taking import take_snapshot
from spool.names import UserName
from spool.settings import SpoolSettings
from spool.unique_ids import keys_of_names
from spool.wire import wire_octets


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
        base: its name in a Maildir, up to the first colon; None in an mbox.
        wire_octets: tells its size as RETR sends it; like ``head`` only while the mailbox is open.
        head: reads what stands before its body.
    """

    key: str
    base: str | None
    wire_octets: Callable[[], int]
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
        head = functools.partial(_mbox_head, mbox.descriptor, start, stop)
        messages.append(OldMessage(key, None, functools.partial(int, octets), head))
    return OldMailbox(user, path, MailboxKind.MBOX, messages, _first_header(mbox))


def _of_maildir(location: MailboxLocation, directories: MessageDirectories) -> OldMailbox:
    places = directories.scan().places
    bases = in_order(places, lambda base: _mtime_ns(directories, base, places[base]))
    messages = [
        OldMessage(
            key,
            base,
            functools.partial(_maildir_octets, directories, base, places[base]),
            functools.partial(_maildir_head, directories, base, places[base]),
        )
        for key, base in zip(keys_of_names(bases), bases, strict=True)
    ]
    return OldMailbox(location.user, location.path, location.kind, messages, b"")


def _mtime_ns(directories: MessageDirectories, base: str, place: Place) -> int | None:
    try:
        return directories.stat(base, place).st_mtime_ns
    except FileNotFoundError:
        return None


def _maildir_octets(directories: MessageDirectories, base: str, place: Place) -> int:
    if (claimed := wire_octets_in(base)) is not None:
        return claimed
    try:
        descriptor = directories.open_file(base, place)
    except FileNotFoundError:  # another program has moved or removed it since
        return 0
    try:
        return wire_octets(read_pieces(descriptor))
    finally:
        os.close(descriptor)


def _maildir_head(directories: MessageDirectories, base: str, place: Place) -> Head:
    try:
        descriptor = directories.open_file(base, place)
    except FileNotFoundError:
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
