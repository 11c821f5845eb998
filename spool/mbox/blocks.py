"""Searching and slicing an open file as if it were one bytes object.

By ``pread`` in blocks, not by ``mmap``: when another program truncates the file, reading a mapping kills the process,
while reading a descriptor comes back short.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

BLOCK_OCTETS: Final = 1024 * 1024
BEFORE_OCTETS: Final = 9
_WINDOW_OCTETS: Final = 4096


def read_at(descriptor: int, start: int, octets: int) -> bytes:
    """Read ``octets`` from ``start`` on; fewer only where the file ends.

    Raises:
        OSError: it cannot be read.
    """
    data = os.pread(descriptor, octets, start)
    if len(data) == octets or not data:
        return data
    pieces = [data]
    got = len(data)
    while got < octets and (data := os.pread(descriptor, octets - got, start + got)):
        pieces.append(data)
        got += len(data)
    return b"".join(pieces)


class BlockReader:
    """The first ``end`` octets of an open file.

    The block last searched is kept, so that what was found in it is read without a system call.

    Args:
        descriptor: the file, open for reading; it stays the caller's.
        end: nothing from this offset on is looked at.
        before_block: called before each block that is read, as a sign of life while a lock is held.
    """

    __slots__ = ("_block", "_block_start", "before_block", "descriptor", "end")

    def __init__(self, descriptor: int, end: int, *, before_block: Callable[[], None]) -> None:
        self.end = end
        self.descriptor = descriptor
        self.before_block = before_block
        self._block = b""
        self._block_start = 0

    def find(self, needle: bytes, start: int) -> int:
        """Return the offset of the first ``needle`` at or after ``start`` and wholly before ``end``, or -1."""
        return next((position for position, _ in self.occurrences(needle, start)), -1)

    def occurrences(self, needle: bytes, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield the offset of each ``needle`` from ``start`` on and wholly before ``end``, and some octets before it.

        These are ``BEFORE_OCTETS``, or fewer where the file begins, or ``start`` is, not so far before.
        """
        # One octet is found ten times as fast as several, and base64, which most octets of most mboxes are, has not a
        # single space: all in all, ``From `` is found in half the time if a space is looked for first.
        last = len(needle) - 1
        while start + last < self.end:
            if not self._block_start <= start < self._block_start + len(self._block) - last:
                self._load(start)
            block, block_start = self._block, self._block_start
            position = max(start - block_start, 0)
            while (window := block.find(needle[last:], position + last) - last) >= position:
                window_end = window + _WINDOW_OCTETS
                while (position := block.find(needle, window, window_end)) >= 0:
                    yield block_start + position, block[max(position - BEFORE_OCTETS, 0) : position]
                    window = position + 1
                position = max(window, window_end - last)
            if start >= block_start + len(block) - last:  # the file has become shorter
                return
            start = block_start + len(block) - last

    def block(self, start: int) -> tuple[bytes, int]:
        """Return ``BLOCK_OCTETS`` from ``start`` on, and ``BEFORE_OCTETS`` before; and where these octets begin."""
        self._load(start)
        return self._block, self._block_start

    def read(self, start: int, stop: int) -> bytes:
        """Return the octets from ``start`` up to ``stop`` or ``end``, whichever comes first."""
        stop = min(stop, self.end)
        if self._block_start <= start <= stop <= self._block_start + len(self._block):
            return self._block[start - self._block_start : stop - self._block_start]
        return read_at(self.descriptor, start, max(stop - start, 0))

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the octets from ``start`` up to ``stop`` in pieces of at most ``BLOCK_OCTETS``."""
        while start < stop:
            self.before_block()
            piece = self.read(start, min(start + BLOCK_OCTETS, stop))
            if not piece:
                return
            yield piece
            start += len(piece)

    def _load(self, start: int) -> None:
        self.before_block()
        self._block = b""
        self._block_start = max(start - BEFORE_OCTETS, 0)
        stop = min(start + BLOCK_OCTETS, self.end)
        self._block = read_at(self.descriptor, self._block_start, stop - self._block_start)
