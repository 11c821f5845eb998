"""Plain messages, in bulk: the same as ``spool.mbox.scan`` and ``spool.mbox.measuring`` find, in half the time.

Nearly all messages of nearly all mboxes are plain: LF line ends, a header of usual length, no Content-Length that is
longer than what lies before the next From_ line, and before that a blank line. Those that lie whole in one block are
measured here, in one loop without a call for each step. Whatever is not as simple as that is left to the modules that
know all cases.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

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

# Instead of a place in the block, where a message ends:
_CUT_OFF: Final = 0
_NOT_PLAIN: Final = -1


class PlainMessages:
    """The plain messages in one block of an mbox.

    Args:
        block: octets of the file.
        offset: where they lie in it.
        unquote: whether sizes are without mboxrd quoting.
    """

    __slots__ = ("_block", "_offset", "_unquote", "_view")

    def __init__(self, block: bytes, offset: int, *, unquote: bool) -> None:
        self._block = block
        self._view = memoryview(block)
        self._offset = offset
        self._unquote = unquote

    def take(self, start: int, limit: int, table: MessageTable) -> tuple[int, bool]:
        """Add messages to a table, from the one that begins at ``start`` up to before ``limit``, both in the file.

        Returns:
            Where the first message begins that was not added; whether that is because it goes on behind the block.
        """
        position, found = start - self._offset, 1
        while position < limit - self._offset and (found := self._add(position, table)) > 0:
            position = found
        return position + self._offset, found == _CUT_OFF

    def _add(self, start: int, table: MessageTable) -> int:
        """Add a message; return where the next one begins."""
        block = self._block
        content = block.find(b"\n", start) + 1
        blank = block.find(b"\n\n", content - 1, content + HEAD_OCTETS) if content else -1
        if blank < 0:
            return _CUT_OFF if not content or len(block) < content + HEAD_OCTETS else _NOT_PLAIN
        stop, quoted_lines = self._next_from_line(content)
        end = stop - 1
        if stop <= 0:
            return stop
        if block[end - 1] != _LF or end <= blank + 1 or block.find(b"\r", content, end) >= 0:
            return _NOT_PLAIN
        octets = end - content + block.count(b"\n", content, end) - (quoted_lines if self._unquote else 0)
        read = False
        header = block[content : blank + 1]
        if _ANY_FIELD.search(b"\n" + header.lower()):
            hints = read_hints(block[content : blank + 2])
            if hints.internal or blank + 2 + (hints.content_length or 0) > stop:
                return _NOT_PLAIN
            read = hints.read
            kept = without(header, hints.fields)
            octets -= len(header) + header.count(b"\n") - len(kept) - kept.count(b"\n")
            digest = hashlib.sha256(without(kept, REWRITTEN_FIELDS.places_in(kept)))
            digest.update(self._view[blank + 1 : end])
        else:
            digest = hashlib.sha256(self._view[content:end])
        place = self._offset
        table.add(start + place, content + place, end + place, octets, key_of(digest.digest()), read=read)
        return stop

    def _next_from_line(self, position: int) -> tuple[int, int]:
        """Return where the next From_ line begins, and how many lines from a position on are quoted."""
        block = self._block
        quoted_lines = 0
        # For the windows see ``BlockReader.occurrences``.
        while (window := block.find(_SPACE, position + _LAST) - _LAST) >= position:
            window_end = window + _WINDOW_OCTETS
            while (found := block.find(MARK, window, window_end)) >= 0:
                if block[found - 1] == _LF:
                    stop = self._separated_at(found)
                    if stop is not None:
                        return stop, quoted_lines
                elif block[found - 1] == _QUOTE:
                    unquoted = block[max(found - _QUOTES_MAX, 0) : found].rstrip(b">")
                    if not unquoted:
                        return _NOT_PLAIN, 0
                    quoted_lines += unquoted.endswith(b"\n")
                window = found + 1
            position = max(window, window_end - _LAST)
        return _CUT_OFF, 0

    def _separated_at(self, start: int) -> int | None:
        """Whether the line that begins at ``start`` is a From_ line: if so ``start``; None if not."""
        block = self._block
        line_end = block.find(b"\n", start, start + LINE_OCTETS_MAX) + 1
        if not line_end:
            return _CUT_OFF if len(block) < start + LINE_OCTETS_MAX else None
        if block[start - 2] == _CR:
            return _NOT_PLAIN
        return start if separates(block[start:line_end], after_blank_line=block[start - 2] == _LF) else None
