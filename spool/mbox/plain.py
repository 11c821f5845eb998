"""Plain messages, in bulk: the same as ``spool.mbox.scan`` and ``spool.mbox.measuring`` find, in half the time.

Nearly all messages of nearly all mboxes are plain: LF line ends, a header of usual length, no Content-Length that is
longer than what lies before the next From_ line, and before that a blank line. They are found and measured here in one
pass, without a call for each step, and each octet is looked at while the processor still has it at hand. Whatever is
not as simple as that is left to the modules that know all cases.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from spool.line_count import count_lines
from spool.mbox.blocks import BlockReader
from spool.mbox.from_line import LINE_OCTETS_MAX, MARK, separates
from spool.mbox.headers import HEAD_OCTETS, REWRITTEN_FIELDS, STORAGE_FIELDS, read_hints, without
from spool.mbox.table import MessageTable
from spool.mbox.view import key_of

_LF: Final = ord("\n")
_CR: Final = ord("\r")
_QUOTE: Final = ord(">")
_QUOTES_MAX: Final = 8
_WINDOW_OCTETS: Final = 4096
_SPACE: Final = MARK[-1:]
_LAST: Final = len(MARK) - 1
# Headers are searched in lower case, with an LF before them.
_ANY_FIELD: Final = re.compile(rb"\n(?:%b)" % b"|".join((*STORAGE_FIELDS.marks, *REWRITTEN_FIELDS.marks)))


class _NotPlainError(Exception):
    """A message is not plain, or it cannot be told."""


class PlainMessages:
    """The plain messages of an mbox.

    A block of the file is held; what is before it is done with. Places are indexes of the block, and only where a
    method says so offsets in the file.

    Args:
        reader: of the file.
        unquote: whether sizes are without mboxrd quoting.
    """

    __slots__ = ("_block", "_offset", "_reader", "_unquote", "_view")

    def __init__(self, reader: BlockReader, *, unquote: bool) -> None:
        self._reader = reader
        self._unquote = unquote
        self._block = b""
        self._view = memoryview(b"")
        self._offset = 0

    def take(self, start: int, limit: int, table: MessageTable) -> int:
        """Add messages to a table, from the one that begins at ``start`` up to before ``limit``, both in the file.

        Returns:
            Where the first message begins, in the file, that was not added: it is not plain, or not before the limit.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            while start < limit:
                start = self._add(start, table)
        except _NotPlainError:
            pass
        return start

    def _add(self, start: int, table: MessageTable) -> int:
        """Add the message that begins at ``start`` in the file; return where the next one begins there."""
        content, blank = self._header(start)
        first = self._offset + content
        header = self._block[content : blank + 1]
        kept = counted = header
        read, hinted_end = False, 0
        if _ANY_FIELD.search(b"\n" + header.lower()):
            hints = read_hints(self._block[content : blank + 2])
            read, hinted_end = hints.read, self._offset + blank + 2 + (hints.content_length or 0)
            counted = without(header, hints.fields)
            kept = without(counted, REWRITTEN_FIELDS.places_in(counted))
        if b"\r" in header:
            raise _NotPlainError
        digest = hashlib.sha256(kept)
        octets = len(counted) + counted.count(b"\n")
        body, position, is_last = blank + 1, content, False
        while not is_last:
            stop, quoted_lines, is_last = self._next_from_line(position)
            end = stop - 1
            if end <= body or self._block.find(b"\r", body, end) >= 0:
                raise _NotPlainError
            digest.update(self._view[body:end])
            octets += end - body + count_lines(self._block, body, end) - (quoted_lines if self._unquote else 0)
            if not is_last:
                body = self._go_on(end)
                position = body + 1
        if self._block[end - 1] != _LF or hinted_end > self._offset + stop:
            raise _NotPlainError
        table.add(start, first, self._offset + end, octets, key_of(digest.digest()), read=read)
        return self._offset + stop

    def _header(self, start: int) -> tuple[int, int]:
        """Return where the header of the message at ``start`` in the file begins, and where its last line ends."""
        for _ in range(2):
            position = start - self._offset
            content = self._block.find(b"\n", position) + 1 if position >= 0 else 0
            blank = self._block.find(b"\n\n", content - 1, content + HEAD_OCTETS) if content else -1
            if blank >= 0:
                return content, blank
            self._block, self._offset = self._reader.block(start)
            self._view = memoryview(self._block)
        raise _NotPlainError

    def _go_on(self, place: int) -> int:
        """Load the block that begins with a place; return where that is now."""
        start, read_to = self._offset + place, self._offset + len(self._block)
        self._block, self._offset = self._reader.block(start)
        self._view = memoryview(self._block)
        if self._offset + len(self._block) <= read_to:
            raise _NotPlainError  # the end of the file, or a line longer than a block
        return start - self._offset

    def _next_from_line(self, position: int) -> tuple[int, int, bool]:
        """Look for the next From_ line.

        Returns:
            Where it begins, or where to go on with the next block; how many lines from ``position`` up to there are
            quoted; whether it was found.
        """
        block = self._block
        quoted_lines = 0
        # For the windows see ``BlockReader.occurrences``.
        while (window := block.find(_SPACE, position + _LAST) - _LAST) >= position:
            window_end = window + _WINDOW_OCTETS
            while (found := block.find(MARK, window, window_end)) >= 0:
                if block[found - 1] == _LF:
                    separated = self._is_separator(found)
                    if separated is not False:
                        return found, quoted_lines, separated is not None
                elif block[found - 1] == _QUOTE:
                    unquoted = block[max(found - _QUOTES_MAX, 0) : found].rstrip(b">")
                    if not unquoted:
                        raise _NotPlainError
                    quoted_lines += unquoted.endswith(b"\n")
                window = found + 1
            position = max(window, window_end - _LAST)
        return len(block) - _LAST, quoted_lines, False

    def _is_separator(self, start: int) -> bool | None:
        """Whether the line that begins at ``start`` is a From_ line; None if it goes on behind the block."""
        block = self._block
        line_end = block.find(b"\n", start, start + LINE_OCTETS_MAX) + 1
        if not line_end:
            return None if len(block) < start + LINE_OCTETS_MAX else False
        if block[start - 2] == _CR:
            raise _NotPlainError
        return separates(block[start:line_end], after_blank_line=block[start - 2] == _LF)
