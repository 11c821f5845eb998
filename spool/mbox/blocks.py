"""Searching and slicing an open file as if it were one bytes object.

By ``pread`` in blocks, not by ``mmap``: when another program truncates the file, reading a mapping kills the process,
while reading a descriptor comes back short.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

BLOCK_OCTETS: Final = 1024 * 1024


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

    __slots__ = ("_before_block", "_block", "_block_start", "_descriptor", "end")

    def __init__(self, descriptor: int, end: int, *, before_block: Callable[[], None]) -> None:
        self.end = end
        self._descriptor = descriptor
        self._before_block = before_block
        self._block = b""
        self._block_start = 0

    def find(self, needle: bytes, start: int) -> int:
        """Return the offset of the first ``needle`` at or after ``start`` and wholly before ``end``, or -1."""
        while start + len(needle) <= self.end:
            block_end = self._block_start + len(self._block)
            if not self._block_start <= start <= block_end - len(needle):
                self._load(start)
                block_end = start + len(self._block)
                if len(self._block) < len(needle):  # the file has become shorter
                    break
            found = self._block.find(needle, start - self._block_start)
            if found >= 0:
                return self._block_start + found
            start = max(block_end - len(needle), start) + 1
        return -1

    def read(self, start: int, stop: int) -> bytes:
        """Return the octets from ``start`` up to ``stop`` or ``end``, whichever comes first."""
        stop = min(stop, self.end)
        if self._block_start <= start <= stop <= self._block_start + len(self._block):
            return self._block[start - self._block_start : stop - self._block_start]
        return read_at(self._descriptor, start, max(stop - start, 0))

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the octets from ``start`` up to ``stop`` in pieces of at most ``BLOCK_OCTETS``."""
        while start < stop:
            self._before_block()
            piece = self.read(start, min(start + BLOCK_OCTETS, stop))
            if not piece:
                return
            yield piece
            start += len(piece)

    def _load(self, start: int) -> None:
        self._before_block()
        self._block = b""
        self._block = read_at(self._descriptor, start, min(BLOCK_OCTETS, self.end - start))
        self._block_start = start
