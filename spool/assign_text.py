"""The text of assignments as octets: checked and compiled without an object for each of a million lines.

``spool.assign`` says what a line is; its parser is exact, and slow. Here a piece of many lines is first checked by
columns: cut at all its colons at once, every seventh field is a home, and so on. What passes is right, and each line
stands there in its plain form, from which the record of the database is one replacement away. What does not pass may
still be right (``0507``, a remark behind the seventh colon): the exact parser decides, and writes the plain form or
names what is wrong. So both accept the same texts, and say the same of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from operator import eq, itemgetter
from pathlib import Path
from typing import Final

from spool.assign import AssignRecord, exact_key, format_line, parse_line, wildcard_key
from spool.errors import SettingsError
from spool.names import UserName

PIECE_OCTETS: Final = 1 << 20
"""What is cut into columns at once: some 7,000 users, a few MB as objects. Larger pieces are no faster."""

_BEGINNINGS: Final = frozenset({b"\n=", b"\n+"})
_EXACT: Final = ord("=")
_PLAIN_IDS: Final = re.compile(rb"(?:(?:0|[1-9][0-9]{0,8}),)*+")  # ten digits may be too many: the exact parser decides
_UNPLAIN_PATHS: Final = (b"//", b"/:", b"/./", b"/.:", b"/../", b"/..:")
_first_two: Final = itemgetter(slice(2))


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines of a piece of text in their plain form, by fields; a ``head`` is a line end, ``=`` or ``+``, and the local."""

    heads: list[bytes]
    users: list[bytes]
    uids: list[bytes]
    gids: list[bytes]
    homes: list[bytes]


@dataclass(frozen=True, slots=True)
class AssignText:
    """A text of assignments that is right.

    Attributes:
        text: all of it, as in the file.
        end: where the line that begins with a dot begins; the assignments are ``text[:end]``.
        plain: whether every line stands there in its plain form already.
    """

    text: bytes
    end: int
    plain: bool

    @classmethod
    def parse(cls, text: bytes, *, file: Path) -> AssignText:
        """Check a text.

        Raises:
            SettingsError: as ``spool.assign.parse_assign``, naming file, line and field.
        """
        closing = 0 if text.startswith(b".") else text.find(b"\n.") + 1
        closed = closing > 0 or text.startswith(b".")
        end = closing if closed else text.rfind(b"\n") + 1
        plain, number = True, 1
        for piece in _pieces(text, end):
            if columns_of(piece) is None:
                plain = False
                _check_lines(piece, file, number)
            number += piece.count(b"\n")
        if not closed:
            trouble = "it has no line end" if end < len(text) else "expected the closing dot, found the end of the file"
            raise SettingsError(f"{file}: line {number}: {trouble}")
        return cls(text, end, plain)

    def raw_pieces(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the assignments as they stand, in pieces of whole lines, and whether a piece is in its plain form."""
        for piece in _pieces(self.text, self.end):
            yield piece, self.plain or columns_of(piece) is not None

    def pieces(self) -> Iterator[bytes]:
        """Yield the assignments in order, in pieces of whole lines, each in its plain form."""
        for piece, plain in self.raw_pieces():
            yield piece if plain else _plain_form(piece)

    def columns(self) -> Iterator[Columns]:
        """Yield the assignments in order, in pieces, field by field."""
        for piece in self.pieces():
            yield _cut(piece)

    def count(self) -> int:
        """Return how many assignments there are."""
        return self.text.count(b"\n", 0, self.end)

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and data of every assignment for the database, in order."""
        for piece in self.pieces():
            for line in piece.replace(b":", b"\0").split(b"\n")[:-1]:
                local, _, data = line.partition(b"\0")
                name = local[1:]
                yield exact_key(name) if local[0] == _EXACT else wildcard_key(name), data[:-1]

    def assigned(self, name: UserName) -> AssignRecord | None:
        """Return the record of the exact assignment of a name; of several the first counts."""
        lower = (b"\n" + self.text[: self.end]).lower()
        start = lower.find(b"\n=%b:" % name.text.encode("ascii"))
        return None if start < 0 else parse_line(self.text[start : self.text.index(b"\n", start)]).record

    def homes_of_users(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and home of every user: of those assigned to themselves."""
        for columns in self.columns():
            own = map(eq, columns.heads, map(b"\n=".__add__, columns.users))
            yield from compress(zip(columns.users, columns.homes, strict=True), own)

    def users(self) -> set[str]:
        """Return the names that are users."""
        return {user.decode("utf-8", "surrogateescape") for user, _ in self.homes_of_users()}

    def homes(self) -> Iterator[tuple[str, str]]:
        """Yield every home that is assigned, with the user it is assigned to."""
        for columns in self.columns():
            for home, user in dict.fromkeys(zip(columns.homes, columns.users, strict=True)):
                yield home.decode("utf-8", "surrogateescape"), user.decode("utf-8", "surrogateescape")


def columns_of(piece: bytes) -> Columns | None:
    """Cut a piece of whole lines into columns; None unless every line is right and in its plain form."""
    lines = piece.count(b"\n")
    fields = (b"\n" + piece[:-1]).split(b":")
    if len(fields) != 7 * lines + 1 or fields[-1] or b"\0" in piece:
        return None
    columns = _columns(fields)
    paths = b":" + b":".join(columns.homes) + b":"
    if (
        # As many line ends as lines, and each line's first field begins with one: there is none elsewhere.
        _BEGINNINGS.issuperset(map(_first_two, columns.heads))
        and b"\n=" not in columns.heads
        and all(columns.users)
        and _PLAIN_IDS.fullmatch(b",".join([*{*columns.uids, *columns.gids}, b""]))
        and paths.count(b":/") == lines
        and not any(octets in paths for octets in _UNPLAIN_PATHS)
    ):
        return columns
    return None


def _cut(piece: bytes) -> Columns:
    return _columns((b"\n" + piece[:-1]).split(b":"))


def _columns(fields: list[bytes]) -> Columns:
    return Columns(*(fields[column:-1:7] for column in range(5)))


def _pieces(text: bytes, end: int) -> Iterator[bytes]:
    start = 0
    while start < end:
        stop = min(text.find(b"\n", min(start + PIECE_OCTETS, end - 1)) + 1, end)
        yield text[start:stop]
        start = stop


def _check_lines(piece: bytes, file: Path, number: int) -> None:
    for offset, line in enumerate(piece.split(b"\n")[:-1]):
        try:
            parse_line(line)
        except ValueError as error:
            raise SettingsError(f"{file}: line {number + offset}: {error}") from error


def _plain_form(piece: bytes) -> bytes:
    return b"".join(format_line(parse_line(line)) for line in piece.split(b"\n")[:-1])
