"""Appending one message to an mbox."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import IO

from spool import durable
from spool.mbox.blocks import BLOCK_OCTETS, BlockReader
from spool.mbox.locks import HeldMbox
from spool.mbox.scan import first_start, sound_end


def append_message(mbox: HeldMbox, from_line: bytes, stored: IO[bytes]) -> int:
    """Append a message in its stored form, with the blank line after it.

    What a crash left at the end of the file is closed off first: NULs and an unfinished From_ line, which are no mail,
    are cut off, and a message without its last line end or blank line gets them, so that it ends where ours begins.

    Holds when it returns. A crash before that leaves the message whole, or not at all, or a torn beginning of it at the
    end of the file. When it fails, the file is cut back to where it was, unless somebody who ignores our locks has
    appended in between: his mail is worth more than our tidiness.

    Args:
        mbox: the file, locked.
        from_line: the separator, its LF included.
        stored: the message, open at its beginning, empty or with a line end at its end.

    Returns:
        The offset of the From_ line.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be written.
    """
    descriptor = mbox.descriptor
    end, closing = prepare_end(mbox)
    written = end
    # The From_ line goes in one write with what follows, so that it is rarely torn.
    piece = closing + from_line + stored.read(BLOCK_OCTETS)
    try:
        while piece:
            mbox.keep_alive()
            written += len(piece)
            durable.write_all(descriptor, piece)
            piece = stored.read(BLOCK_OCTETS)
        written += 1
        durable.write_all(descriptor, b"\n")
        durable.sync_file(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            if os.fstat(descriptor).st_size <= written:
                durable.truncate(descriptor, end)
        raise
    return end + len(closing)


def prepare_end(mbox: HeldMbox) -> tuple[int, bytes]:
    """Cut off what a crash left at the end of the file and is no mail, and let every write go to the end from now on.

    Returns:
        The offset of the end, and what must be written there before a From_ line, for the last message to end.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be read or cut.
    """
    descriptor = mbox.descriptor
    size = os.fstat(descriptor).st_size
    reader = BlockReader(descriptor, size, before_block=mbox.keep_alive)
    reader.end = end = sound_end(reader)
    first_start(reader)
    if end < size:
        durable.truncate(descriptor, end)
    write_at_end(descriptor)
    return end, _closing(reader.read(max(end - 3, 0), end))


def write_at_end(descriptor: int) -> None:
    """Let every write go to the end of the file, as all others do who append to it.

    A position chosen by us could overwrite what a program without locks appends now.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)


def _closing(last: bytes) -> bytes:
    """What the end of the file lacks of a line end and a blank line; ``last`` are its last three octets."""
    if not last or last.endswith(b"\n\n") or last == b"\n\r\n":
        return b""
    return b"\n" if last.endswith(b"\n") else b"\n\n"
