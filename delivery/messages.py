"""One message that is being delivered, readable as often as there are destinations."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from delivery.headers import AddedLines
from delivery.settings import AddedField
from spool.durable import storage_errors

PIECE_OCTETS: Final = 256 * 1024
HEAD_OCTETS: Final = 1024 * 1024
"""As much of a message is searched for fields; a longer header is mischief, and what is behind it not looked at."""
_IN_MEMORY_OCTETS: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a file of its own that nobody else has, with LF line ends.

    Attributes:
        file: open for reading and writing.
        top: the fields above the first Received, unfolded lines without line ends: what was added on this machine.
        below: the other fields of the header.
    """

    file: IO[bytes]
    top: tuple[bytes, ...]
    below: tuple[bytes, ...]

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> Message:
        """Store a message until it is delivered: in memory, or where it is large in an unnamed file in ``TMPDIR``.

        Raises:
            SpoolError: there is no room.
        """
        file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_OCTETS)  # noqa: SIM115 - closed by its owner
        with storage_errors(Path(tempfile.gettempdir())):
            for piece in pieces:
                file.write(piece)
            file.seek(0)
            head = file.read(HEAD_OCTETS)
        header = head.partition(b"\n\n")[0] if not head.startswith(b"\n") else b""
        lines = tuple(header.split(b"\n"))
        first = next((n for n, line in enumerate(lines) if line[:9].lower() == b"received:"), len(lines))
        return cls(file, lines[:first], lines[first:])

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, from its beginning."""
        self.file.seek(0)
        while piece := self.file.read(PIECE_OCTETS):
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
        return any(_is_same_field(line, lines.delivered_to) for line in self.below)

    def missing_lines(self, lines: AddedLines, fields: Collection[AddedField]) -> Iterator[bytes]:
        """Yield what of these fields the mail transport has not added already."""
        if "Return-Path" in fields and not any(line[:12].lower() == b"return-path:" for line in self.top):
            yield lines.return_path
        if "Delivered-To" in fields and not any(_is_same_field(line, lines.delivered_to) for line in self.top):
            yield lines.delivered_to

    def close(self) -> None:
        """Forget it."""
        self.file.close()


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


def _is_same_field(line: bytes, field: bytes) -> bool:
    # The name without case, unlike qmail's check, which a relay that rewrites names can blind.
    name, _, value = field.rstrip(b"\n").partition(b":")
    mark = name.lower() + b":"
    return line[: len(mark)].lower() == mark and line[len(mark) :].rstrip(b"\r") == value
