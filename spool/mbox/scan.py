"""Where the messages of an mbox lie.

**What separates messages.** A line that begins with ``From `` and is a From_ line (``spool.mbox.from_line``). The blank
line before it belongs to it and not to the message it ends. LF and CRLF line ends may be mixed.

**Content-Length** is a hint, used only where it is longer than what the next From_ line would make of the message, and
only if a From_ line or the end of the file follows just there: so bodies of mboxcl2, which quotes nothing, stay whole.

**Damage.** An mbox begins with a From_ line of any form, after blank lines and the NULs an NFS client that crashed left
behind; a file that begins with anything else is not an mbox, and a temporary error. At the end of the file NULs, and an
unfinished From_ line after a blank line (somebody crashed while delivering), are nobody's mail: no message has them. A
message torn anywhere else ends where the file, or a From_ line, says so. What follows NULs *within* a file is part of
the message before them, even if it looks like a From_ line: taking it for one would let anybody send messages that
split in two.

Time is linear in the octets for any input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.errors import MailboxUnavailableError
from spool.mbox.blocks import BlockReader
from spool.mbox.from_line import LINE_OCTETS_MAX, MARK, separates
from spool.mbox.headers import HEAD_OCTETS, Hints, read_hints

_TAIL_OCTETS: Final = 64 * 1024
_NOT_MAIL: Final = b"\r\n\0"


@dataclass(frozen=True, slots=True)
class Record:
    """One message in an mbox, by offsets in the file.

    Attributes:
        start: of its From_ line.
        content: of its header, behind the From_ line.
        end: of its last line; the blank line, if there is one, follows.
        stop: where the next message, or what is no mail, begins.
        quoted_lines: how many of its lines are quoted (``spool.mbox.quoting``), None if they were not counted.
        hints: what its storage fields say.
        unused_end: where the message would end by a Content-Length that is longer than the message, but not believed;
            None if there is none.
    """

    start: int
    content: int
    end: int
    stop: int
    quoted_lines: int | None
    hints: Hints
    unused_end: int | None

    @property
    def may_have_quotes(self) -> bool:
        """False if it is certain that no line is quoted."""
        return self.quoted_lines != 0


def sound_end(reader: BlockReader) -> int:
    """Return where the mail in the file ends: before NULs and an unfinished From_ line at its end."""
    end = reader.end
    while end:
        start = max(end - _TAIL_OCTETS, 0)
        tail = reader.read(start, end)
        end = start + len(tail.rstrip(b"\0"))
        if end > start:
            break
    tail_start = max(end - LINE_OCTETS_MAX, 0)
    tail = reader.read(tail_start, end)
    line_start = tail.rfind(b"\n") + 1
    line = tail[line_start:]
    begins_line = line_start > 0 or tail_start == 0
    is_torn = begins_line and (line.startswith(MARK) or (line != b"" and MARK.startswith(line)))
    if is_torn and (tail[:line_start].endswith((b"\n\n", b"\n\r\n")) or not tail[:line_start].strip(_NOT_MAIL)):
        return end - len(line)
    return end


def scan(reader: BlockReader, *, start: int | None = None) -> Iterator[Record]:
    """Find the messages below ``reader.end``, which is a ``sound_end``.

    What follows a place where a message begins does not depend on what is before it: scanning from there finds the
    same messages as scanning the whole file.

    Args:
        reader: of the file.
        start: where a message begins; None for the first one.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be read.
    """
    start = first_start(reader) if start is None else start
    while start < reader.end:
        record = _record_at(reader, start)
        yield record
        start = record.stop


def first_start(reader: BlockReader) -> int:
    """Return where the first message of an mbox begins, ``reader.end`` if there is none.

    Raises:
        MailboxUnavailableError: the file is not an mbox.
        OSError: it cannot be read.
    """
    if reader.read(0, len(MARK)) == MARK:
        return 0
    first = reader.find(MARK, 0)
    before = reader.end if first < 0 else first
    for piece in reader.pieces(0, before):
        if piece.strip(_NOT_MAIL):
            raise MailboxUnavailableError(
                f"{_path_of(reader.descriptor)}: not an mbox: it does not begin with a From_ line"
            )
    return before


def _path_of(descriptor: int) -> Path:
    # Whoever passes on a descriptor knows the name no more; the kernel does, whatever the file was opened by.
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _record_at(reader: BlockReader, start: int) -> Record:
    line_end = reader.read(start, start + LINE_OCTETS_MAX).find(b"\n")
    content = start + line_end + 1 if line_end >= 0 else reader.find(b"\n", start) + 1 or reader.end
    end, stop, quoted_lines = _next_boundary(reader, content)
    hints = read_hints(reader.read(content, min(content + HEAD_OCTETS, stop)))
    unused_end = None
    if hints.content_length is not None and hints.body is not None:
        hinted_end = content + hints.body + hints.content_length
        if stop < hinted_end:
            if (hinted_stop := boundary_at(reader, hinted_end)) is None:
                unused_end = hinted_end
            else:
                end, stop, quoted_lines = hinted_end, hinted_stop, None
    return Record(start, content, end, stop, quoted_lines, hints, unused_end)


def _next_boundary(reader: BlockReader, content: int) -> tuple[int, int, int | None]:
    """Return where a message ends, where the next one begins, and how many lines in between are quoted."""
    quoted_lines = 0
    counted = True
    for stop, before in reader.occurrences(MARK, content):
        if before.endswith(b"\n"):
            end = stop - _blank_line_octets(before)
            if is_separator(reader, stop, after_blank_line=end < stop):
                return end, stop, quoted_lines if counted else None
        elif before.endswith(b">"):
            unquoted = before.rstrip(b">")
            counted = counted and bool(unquoted)
            quoted_lines += unquoted.endswith(b"\n")
    stop = reader.end
    end = stop - _blank_line_octets(reader.read(max(stop - 3, content - 1), stop))
    return end, stop, quoted_lines if counted else None


def _blank_line_octets(before: bytes) -> int:
    """How long the blank line is with which these octets, a line end before it included, end."""
    # The line end may be the From_ line's, which is not empty.
    if before.endswith(b"\n\n"):
        return 1
    return 2 * before.endswith(b"\n\r\n")


def boundary_at(reader: BlockReader, end: int) -> int | None:
    """Return where the next message begins if one ends at ``end``, None if none ends there."""
    if end > reader.end:
        return None
    line_end = reader.read(end, end + 2)
    stop = end + (1 if line_end.startswith(b"\n") else 2 * (line_end == b"\r\n"))
    if stop == reader.end or (end < stop and is_separator(reader, stop, after_blank_line=True)):
        return stop
    return None


def is_separator(reader: BlockReader, start: int, *, after_blank_line: bool) -> bool:
    """Whether the line that begins at ``start`` begins a message; after a blank line more lines do."""
    line, line_end, _ = reader.read(start, start + LINE_OCTETS_MAX).partition(b"\n")
    return bool(line_end) and line.startswith(MARK) and separates(line, after_blank_line=after_blank_line)
