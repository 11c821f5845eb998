"""Lists of users: ``name[,uid,gid,home,domain]``, as a spreadsheet or a customer database writes them (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import BinaryIO, Final

from spool.directory_sources.accounts import (
    PIECE_OCTETS,
    Account,
    Skipped,
    SkipReason,
    account,
    accounts_of,
    octets,
    skipped,
    text,
)
from spool.errors import MalformedNameError, SettingsError
from spool.names import DomainName
from spool.octet_columns import are_ids, are_paths, are_user_names, columns_of, pieces_read

_COLUMNS: Final = [b"name", b"uid", b"gid", b"home", b"domain"]
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t"
_AWKWARD: Final = (b"\0", b"\r", b" ", b"\t")


def read_csv(stream: BinaryIO, *, file: str) -> Iterator[Account | Skipped]:
    """Read accounts from a list.

    Fields may be empty, or left away from the right on; blanks around them do not count. A first line that names the
    columns, a byte order mark and empty lines are no entries. A user in several domains has a line for each.

    Args:
        stream: the list.
        file: its name, for errors.

    Raises:
        SettingsError: it is not in this form, naming file and line.
    """
    number = 1
    pieces = pieces_read(stream, octets=PIECE_OCTETS)
    for piece in pieces:
        if number == 1:
            piece = piece.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901
        if b'"' in piece:
            # A quoted field may hold line ends, so from here on pieces cannot be read one by one.
            yield from _by_rows(chain([piece], pieces), number, file)
        elif (accounts := _by_columns(piece, number)) is not None:
            yield from accounts
        else:
            yield from _by_rows([piece], number, file)
        number += piece.count(b"\n")


def _by_columns(piece: bytes, number: int) -> Iterator[Account] | None:
    """Take accounts from a piece of which every line is one, in plain form, and has as many fields as the first."""
    width = piece.index(b"\n") and piece.count(b",", 0, piece.index(b"\n")) + 1
    columns = None
    if 0 < width <= len(_COLUMNS) and not any(each in piece for each in _AWKWARD):
        columns = columns_of(piece, b",", width)
    if columns is None:
        return None
    nothing = [b""] * len(columns[0])
    names, uids, gids, homes, domains = (*columns, *[nothing] * (len(_COLUMNS) - width))
    said = [[field for field in column if field] for column in (uids, gids, homes)]
    if not (are_user_names(names) and are_ids(said[0]) and are_ids(said[1]) and b"0" not in uids):
        return None
    if not are_paths(said[2]) or any(b":" in home for home in said[2]):
        return None
    try:
        known = {each: (DomainName(text(each).lower()),) if each else () for each in set(domains)}
    except MalformedNameError:
        return None
    values = ([field or None for field in column] for column in (uids, gids, homes))
    return accounts_of(zip(count(number), names, *values, map(known.get, domains), strict=False))


def _by_rows(pieces: Iterable[bytes], number: int, file: str) -> Iterator[Account | Skipped]:
    lines = chain.from_iterable(piece.splitlines(keepends=True) for piece in pieces)
    rows = csv.reader(map(text, lines), strict=True)
    try:
        for row in rows:
            line = number + rows.line_num - 1
            fields = [octets(field).strip(_BLANKS) for field in row]
            if not any(fields) or (line == 1 and len(fields) > 1 and fields == _COLUMNS[: len(fields)]):
                continue
            if len(fields) > len(_COLUMNS):
                raise SettingsError(f"{file}: line {line}: expected at most five fields, found {len(fields)}")
            name, uid, gid, home, domain = fields + [b""] * (len(_COLUMNS) - len(fields))
            if b"\0" in name:
                yield skipped(line, name, SkipReason.NUL)
            else:
                yield account(line, name, uid or None, gid or None, home or None, domain)
    except csv.Error as error:
        raise SettingsError(f"{file}: line {number + rows.line_num - 1}: {error}") from error
