"""The messages of a Maildir, for carrying them away."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import partial

from spool.carrying.flags import Flags
from spool.carrying.message import CarriedMessage
from spool.maildir.directories import MessageDirectories, Place, read_pieces
from spool.maildir.order import in_order
from spool.unique_ids import key_of_name
from spool.wire import wire_octets


def messages_of(directories: MessageDirectories, *, without: Collection[str] = ()) -> Iterator[CarriedMessage]:
    """Yield the messages of a Maildir in their order; the identity of each is its base.

    Args:
        directories: open as long as a message is read.
        without: bases to be left out.

    Raises:
        OSError: a directory or a message cannot be read.
    """
    places = directories.scan().places

    def mtime_ns(base: str) -> int | None:
        try:
            return directories.stat(base, places[base]).st_mtime_ns
        except FileNotFoundError:
            return None

    for base in in_order(places, mtime_ns):
        if base in without:
            continue
        pieces = partial(_pieces, directories, base, places[base])
        seconds = mtime_ns(base)
        if seconds is not None:
            yield CarriedMessage(
                identity=base,
                key=key_of_name(base),
                wire_octets=wire_octets(pieces()),
                seconds=seconds / 1e9,
                from_line=None,
                flags=Flags.from_place(places[base]),
                pieces=pieces,
            )


def _pieces(directories: MessageDirectories, base: str, place: Place) -> Iterator[bytes]:
    descriptor = directories.open_file(base, place)
    try:
        yield from read_pieces(descriptor)
    finally:
        os.close(descriptor)
