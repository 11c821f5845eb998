"""Mboxes for tests: written as other programs would, opened without locks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mbox.blocks import BlockReader
from spool.mbox.locks import HeldMbox
from spool.mbox.mailbox import MboxMailbox
from spool.mbox.scan import sound_end
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

FROM = b"From a@b.c Thu Jan  1 00:00:00 1970\n"


def mbox_of(*messages: bytes) -> bytes:
    """An mbox as any program would write it."""
    return b"".join(FROM + message + b"\n" for message in messages)


def mailbox_in(
    home: Path,
    content: bytes | None = None,
    *,
    unquote: bool = True,
    kept: KeptSnapshots = KEEPS_NOTHING,
    clock_ns: Callable[[], int] = time.time_ns,
) -> MboxMailbox:
    """A mailbox whose locks are not waited for, and whose From_ lines are of 1970."""
    location = location_in(home, MailboxKind.MBOX)
    if content is not None:
        location.path.write_bytes(content)
    settings = SpoolSettings(root=home, mbox_unquote=unquote, mbox_lock_seconds=0.001)
    return MboxMailbox(location, settings, kept=kept, sleep=lambda _: None, now=lambda: 0, clock_ns=clock_ns)


def location_of(path: Path) -> MailboxLocation:
    """The location in a home."""
    return location_in(path, MailboxKind.MBOX)


@contextmanager
def opened(path: Path) -> Iterator[HeldMbox]:
    """An open mbox; the test is alone with it."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield HeldMbox(descriptor, None, lambda: 0.0)
    finally:
        os.close(descriptor)


@contextmanager
def reader_of(path: Path) -> Iterator[BlockReader]:
    """A reader of a whole file."""
    with opened(path) as mbox:
        yield BlockReader(mbox.descriptor, path.stat().st_size, before_block=mbox.keep_alive)


@contextmanager
def memory_reader(content: bytes) -> Iterator[BlockReader]:
    """A reader of the mail in a file that is nowhere on disk."""
    descriptor = os.memfd_create("mbox")
    try:
        os.write(descriptor, content)
        reader = BlockReader(descriptor, len(content), before_block=lambda: None)
        reader.end = sound_end(reader)
        yield reader
    finally:
        os.close(descriptor)


_LINE_ENDS = [b"\n", b"\n", b"\n", b"\n", b"\r\n", b""]
_LINES = [
    b"",
    b"",
    FROM[:-1],
    b"From a",
    b"From here on",
    b"a",
    b">From b",
    b">>From b",
    b">" * 12 + b"From b",
    b"a >From b",
    b"A: b",
    b"Status: RO",
    b"status: O",
    b"X-UID: 1",
    b" folded",
    b"X-IMAP: 1 2",
    b"Subject: DON'T DELETE THIS MESSAGE",
    b"Lines: 3",
    b"content-length: 0",
    b"content-length: 40",
    b"Content-Length: 60",
    b"content-length: 5000",
    b"\0",
    b"\r",
    b"x" * 60,
]


@st.composite
def lines(draw: st.DrawFn, max_size: int = 40) -> bytes:
    """Lines as they are in mboxes, and some as they should not be."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(_LINES), st.sampled_from(_LINE_ENDS)), max_size=max_size))
    return b"".join(line + line_end for line, line_end in drawn)


@st.composite
def messages(draw: st.DrawFn, max_size: int = 8) -> bytes:
    """Messages as most are: From_ line, header, blank line, body, blank line."""
    header = st.lists(st.sampled_from([b"A: b\n", b"Status: RO\n", b"X-UID: 1\n b\n", b"Lines: 3\n"]), max_size=3)
    body = st.lists(st.sampled_from([b"a\n", b">From b\n", b"\n", b"x" * 60 + b"\n", FROM[:9] + b"\n"]), max_size=6)
    drawn = draw(st.lists(st.tuples(header, body), max_size=max_size))
    return mbox_of(*(b"".join(fields) + b"\n" + b"".join(text) for fields, text in drawn))


def anything() -> st.SearchStrategy[bytes]:
    """An mbox, sound or not."""
    return st.one_of(
        messages(),
        lines().map(lambda text: FROM + text),
        st.tuples(st.just(mbox_of(b"A: b\n")), messages(), lines()).map(b"".join),
    )
