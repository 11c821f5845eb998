"""passwd text: ``/etc/passwd``, ``getent passwd``, or an NIS map (``ypcat passwd``)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from typing import BinaryIO, Final

from spool.directory_sources.accounts import PIECE_OCTETS, Account, Skipped, SkipReason, account, accounts_of, skipped
from spool.octet_columns import are_ids, are_paths, are_user_names, columns_of, pieces_read

_FIELDS: Final = 7


def read_passwd(stream: BinaryIO) -> Iterator[Account | Skipped]:
    """Read accounts from lines of passwd(5): ``name:password:uid:gid:gecos:home:shell``.

    Empty lines and those that begin with ``#`` are no entries. NIS compatibility lines (``+``, ``-@group``) name no
    account of their own and are skipped.
    """
    number = 1
    for piece in pieces_read(stream, octets=PIECE_OCTETS):
        if (accounts := _by_columns(piece, number)) is not None:
            yield from accounts
        else:
            yield from _by_lines(piece, number)
        number += piece.count(b"\n")


def _by_columns(piece: bytes, number: int) -> Iterator[Account] | None:
    """Take accounts from a piece of which every line is one, in plain form."""
    columns = None if b"\0" in piece else columns_of(piece, b":", _FIELDS)
    if columns is None:
        return None
    names, _, uids, gids, _, homes, _ = columns
    if are_user_names(names) and are_ids(uids) and are_ids(gids) and b"0" not in uids and are_paths(homes):
        return accounts_of(zip(count(number), names, uids, gids, homes, repeat(()), strict=False))
    return None


def _by_lines(piece: bytes, number: int) -> Iterator[Account | Skipped]:
    for line_number, octets in enumerate(piece.split(b"\n")[:-1], start=number):
        line = octets.rstrip(b"\r")
        if not line or line.startswith(b"#"):
            continue
        name, *fields = line.split(b":")
        if line.startswith((b"+", b"-")):
            yield skipped(line_number, name, SkipReason.COMPAT)
        elif b"\0" in line:
            yield skipped(line_number, name, SkipReason.NUL)
        elif len(fields) < _FIELDS - 1:
            yield skipped(line_number, name, SkipReason.FIELDS)
        else:
            yield account(line_number, name, fields[1], fields[2], fields[4])
