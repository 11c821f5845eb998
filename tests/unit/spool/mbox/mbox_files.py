"""Mboxes for tests: written as other programs would, opened without locks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spool.mailbox import MailboxKind, MailboxLocation
from spool.mbox.blocks import BlockReader
from spool.mbox.locks import HeldMbox
from spool.mbox.mailbox import MboxMailbox
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

FROM = b"From a@b.c Thu Jan  1 00:00:00 1970\n"


def mbox_of(*messages: bytes) -> bytes:
    """An mbox as any program would write it."""
    return b"".join(FROM + message + b"\n" for message in messages)


def mailbox_in(home: Path, content: bytes | None = None, *, unquote: bool = True) -> MboxMailbox:
    """A mailbox whose locks are not waited for, and whose From_ lines are of 1970."""
    location = location_in(home, MailboxKind.MBOX)
    if content is not None:
        location.path.write_bytes(content)
    settings = SpoolSettings(root=home, mbox_unquote=unquote, mbox_lock_seconds=0.001)
    return MboxMailbox(location, settings, sleep=lambda _: None, now=lambda: 0)


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
