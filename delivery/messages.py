"""One message that is being delivered, readable as often as there are destinations."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delivery.headers import AddedLines
from delivery.settings import AddedField
from spool.durable import storage_errors

PIECE_OCTETS: Final = 256 * 1024
HEAD_OCTETS: Final = 1024 * 1024
"""As much of a message is searched for fields; a longer header is mischief, and what is behind it not looked at."""
IN_MEMORY_OCTETS: Final = 1024 * 1024


class MessageInput:
    """A message that is coming in: in memory, or where it is large in an unnamed file in ``TMPDIR``.

    Raises:
        OSError: there is no room.
    """

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("message")
        self.octets = 0
        try:
            os.fchmod(self._descriptor, 0o600)  # as a file in TMPDIR has it; see Message.read_only
        except OSError:
            self.close()
            raise

    def write(self, octets: bytes) -> None:
        """Take more of it.

        Raises:
            OSError: there is no room.
        """
        if self.octets <= IN_MEMORY_OCTETS < self.octets + len(octets):
            self._move_to_disk()
        self.octets += len(octets)
        while octets:
            octets = octets[os.write(self._descriptor, octets) :]

    def finish(self) -> Message:
        """Return the message, which is whole now, and the caller's to close.

        Raises:
            OSError: it cannot be read.
        """
        message = Message.in_file(self._descriptor)
        self._descriptor = -1
        return message

    def close(self) -> None:
        """Forget it, unless it was finished. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _move_to_disk(self) -> None:
        with tempfile.TemporaryFile() as file:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while piece := os.read(self._descriptor, PIECE_OCTETS):
                file.write(piece)
            file.flush()
            os.dup2(file.fileno(), self._descriptor, inheritable=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message in a file of its own that nobody else has, with LF line ends. Safe for threads.

    Attributes:
        descriptor: of the file.
        top: the fields above the first Received, unfolded lines without line ends: what was added on this machine.
        below: the other fields of the header.
    """

    descriptor: int
    top: tuple[bytes, ...]
    below: tuple[bytes, ...]

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> Message:
        """Store a message until it is delivered.

        Raises:
            SpoolError: there is no room.
        """
        with contextlib.closing(MessageInput()) as coming:
            for piece in pieces:
                with storage_errors(Path(tempfile.gettempdir())):
                    coming.write(piece)
            return coming.finish()

    @classmethod
    def in_file(cls, descriptor: int) -> Message:
        """The message in an open file, which nobody writes any more; the descriptor is the message's from now on.

        Raises:
            OSError: it cannot be read.
        """
        head = os.pread(descriptor, HEAD_OCTETS, 0)
        header = head.partition(b"\n\n")[0] if not head.startswith(b"\n") else b""
        lines = tuple(header.split(b"\n"))
        first = next((n for n, line in enumerate(lines) if line[:9].lower() == b"received:"), len(lines))
        return cls(descriptor, lines[:first], lines[first:])

    def read_only(self) -> int:
        """Open the file once more, for reading alone: whoever is another user cannot write the message by that.

        Raises:
            OSError: no descriptor to be had now.
        """
        return os.open(f"/proc/self/fd/{self.descriptor}", os.O_RDONLY | os.O_CLOEXEC)

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, from its beginning."""
        offset = 0
        while piece := os.pread(self.descriptor, PIECE_OCTETS, offset):
            offset += len(piece)
            yield piece

    def with_lines(self, *lines: bytes) -> Iterator[bytes]:
        """Yield it with lines before it."""
        if lines:
            yield b"".join(lines)
        yield from self.pieces()

    def has_looped(self, lines: AddedLines) -> bool:
        """Whether it was delivered to the same address before (qmail-local).

        The line must stand below a Received, which whoever forwards mail puts above it. One on top was added in this
        very delivery, by the mail transport that calls us, as Postfix does.
        """
        return _has_field(self.below, lines.delivered_to)

    def missing_lines(self, lines: AddedLines, fields: Collection[AddedField]) -> Iterator[bytes]:
        """Yield what of these fields the mail transport has not added already."""
        if "Return-Path" in fields and not any(line[:12].lower() == b"return-path:" for line in self.top):
            yield lines.return_path
        if "Delivered-To" in fields and not _has_field(self.top, lines.delivered_to):
            yield lines.delivered_to

    def close(self) -> None:
        """Forget it. To be called once."""
        os.close(self.descriptor)


def standard_input(pieces: Iterable[bytes]) -> int:
    """Make an open memory file, at its beginning, that a program can have as its standard input; the caller's to close.

    It is a file and no pipe, so that nobody has to feed it, and programs such as ``condredirect`` can rewind it.

    Raises:
        OSError: there is no room.
    """
    descriptor = os.memfd_create("message")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.writelines(pieces)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _has_field(lines: Iterable[bytes], field: bytes) -> bool:
    # The name without case, unlike qmail's check, which a relay that rewrites names can blind.
    name, _, value = field.rstrip(b"\n").partition(b":")
    mark = name.lower() + b":"
    return any(
        line[: len(mark)].lower() == mark and line[len(mark) :].rstrip(b"\r") == value
        for line in lines
        if value in line  # which few lines have, and is found out at once
    )
