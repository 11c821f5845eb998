"""The text of assignments as octets: checked and compiled without an object for each of a million lines.

``spool.assign`` says what a line is; its parser is exact, and slow. Here pieces of many lines are checked by columns
(``spool.octet_columns``). What passes is right, and each line stands there in its plain form, from which the record of
the database is one replacement away. What does not pass may still be right (``0507``, a remark behind the seventh
colon): the exact parser decides, and writes the plain form or names what is wrong. So both accept the same texts, and
say the same of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from operator import eq, itemgetter
from pathlib import Path
from typing import Final

from spool import octet_columns
from spool.assign import AssignRecord, format_line, parse_line
from spool.errors import SettingsError
from spool.names import UserName
from spool.octet_columns import are_ids, are_paths, pieces_of

PIECE_OCTETS: Final = 1 << 20
"""What is cut into columns at once: some 7,000 users, a few MB as objects. Larger pieces are no faster."""

_BEGINNINGS: Final = frozenset({b"=", b"+"})
_WIDTH: Final = 8  # seven fields, and the nothing behind the last colon
_first_octet: Final = itemgetter(slice(1))


@dataclass(frozen=True, slots=True)
class Columns:
    """A piece of text in its plain form, field by field; ``heads`` begin with ``=`` or ``+``."""

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
    def read(cls, path: Path) -> AssignText:
        """Read a file of assignments.

        Raises:
            SettingsError: it cannot be read, or as ``parse``.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from error
        return cls.parse(text, file=path)

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
        for piece in pieces_of(text, end, octets=PIECE_OCTETS):
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
        for piece in pieces_of(self.text, self.end, octets=PIECE_OCTETS):
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

    def assigned(self, name: UserName) -> AssignRecord | None:
        """Return the record of the exact assignment of a name; of several the first counts."""
        lower = (b"\n" + self.text[: self.end]).lower()
        start = lower.find(b"\n=%b:" % name.text.encode("ascii"))
        return None if start < 0 else parse_line(self.text[start : self.text.index(b"\n", start)]).record

    def homes_of_users(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and home of every user: of those assigned to themselves."""
        for columns in self.columns():
            own = map(eq, columns.heads, map(b"=".__add__, columns.users))
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
    columns = None if b"\0" in piece else octet_columns.columns_of(piece, b":", _WIDTH)
    if columns is None:
        return None
    heads, users, uids, gids, homes, *_, rest = columns
    if (
        _BEGINNINGS.issuperset(map(_first_octet, heads))
        and b"=" not in heads
        and all(users)
        and are_ids(uids)
        and are_ids(gids)
        and are_paths(homes)
        and not any(rest)
    ):
        return Columns(heads, users, uids, gids, homes)
    return None


def _cut(piece: bytes) -> Columns:
    """Cut a piece that is in its plain form, without checking it again."""
    fields = (b"\n" + piece[:-1]).split(b":")
    heads = b"".join(fields[:-1:7])[1:].split(b"\n")
    return Columns(heads, *(fields[column:-1:7] for column in range(1, 5)))


def _check_lines(piece: bytes, file: Path, number: int) -> None:
    for offset, line in enumerate(piece.split(b"\n")[:-1]):
        try:
            parse_line(line)
        except ValueError as error:
            raise SettingsError(f"{file}: line {number + offset}: {error}") from error


def _plain_form(piece: bytes) -> bytes:
    return b"".join(format_line(parse_line(line)) for line in piece.split(b"\n")[:-1])
