"""Text of lines with separated fields, cut and checked by columns: for files of a million lines.

An object for each line and a check of each field cost seconds for 100,000 lines. Here a piece of some thousand lines is
cut at all its separators at once, and each check runs over a whole column. The checks are on the safe side: they pass
what is right and in its plain form. What does not pass may be right in another form; callers give those lines to an
exact parser, which also names what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import BinaryIO, Final

from spool.names import USER_NAME_PATTERN

_PLAIN_IDS: Final = re.compile(rb"(?:(?:0|[1-9][0-9]{0,8})\n)*+")  # ten digits may be too many
_USER_NAMES: Final = re.compile(rb"(?:%b\n)*+" % USER_NAME_PATTERN.encode("ascii"))
_UNPLAIN_PATHS: Final = (b"//", b"/\n", b"/./", b"/.\n", b"/../", b"/..\n")
_first_octet: Final = itemgetter(slice(1))


def pieces_of(text: bytes, end: int, *, octets: int) -> Iterator[bytes]:
    """Yield ``text[:end]``, which ends with a line, in pieces of whole lines, each of about so many octets."""
    start = 0
    while start < end:
        stop = min(text.find(b"\n", min(start + octets, end - 1)) + 1, end)
        yield text[start:stop]
        start = stop


def pieces_read(stream: BinaryIO, *, octets: int) -> Iterator[bytes]:
    """Read a stream in pieces of whole lines, each of about so many octets; a last line gets its line end."""
    while piece := stream.read(octets):
        piece += stream.readline()
        yield piece if piece.endswith(b"\n") else piece + b"\n"


def columns_of(piece: bytes, separator: bytes, width: int) -> tuple[list[bytes], ...] | None:
    """Cut a piece of whole lines into its columns; None unless each line has exactly ``width`` fields."""
    rows = piece.count(b"\n")
    # Each row begins with a line end as a part of its first field, so that a field out of place shows.
    fields = (b"\n" + piece[:-1]).replace(b"\n", separator + b"\n").split(separator)[1:]
    firsts = fields[::width]
    if len(fields) != rows * width or set(map(_first_octet, firsts)) != {b"\n"}:
        return None
    return b"".join(firsts)[1:].split(b"\n"), *(fields[column::width] for column in range(1, width))


def are_ids(column: Iterable[bytes]) -> bool:
    """Whether all are numbers that can be uids and gids, in plain form."""
    return _PLAIN_IDS.fullmatch(_joined(set(column))) is not None


def are_paths(column: Sequence[bytes]) -> bool:
    """Whether all are absolute paths in plain form."""
    joined = _joined(column)
    # In front of each path, and nowhere else, a slash follows a line end.
    absolute = (b"\n" + joined).count(b"\n/") == len(column)
    return absolute and b"\0" not in joined and not any(octets in joined for octets in _UNPLAIN_PATHS)


def are_user_names(column: Iterable[bytes]) -> bool:
    """Whether all are names that ``UserName`` accepts."""
    return _USER_NAMES.fullmatch(_joined(column)) is not None


def _joined(column: Iterable[bytes]) -> bytes:
    return b"\n".join([*column, b""])
