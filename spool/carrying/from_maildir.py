"""The messages of a Maildir, for carrying them away."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial

from spool.carrying.flags import Flags
from spool.carrying.message import CarriedMessage
from spool.errors import MailboxChangedError
from spool.maildir.directories import MessageDirectories, Place, read_pieces
from spool.maildir.order import in_order
from spool.unique_ids import key_of_name
from spool.wire import wire_octets


def messages_of(directories: MessageDirectories, places: Mapping[str, Place]) -> Iterator[CarriedMessage]:
    """Yield messages of a Maildir in their order; the identity of each is its base.

    Args:
        directories: open as long as a message is read.
        places: where each of the messages lies, by base; one that is gone is left out.

    Raises:
        MailboxChangedError: another program has just moved one of them.
        OSError: a directory or a message cannot be read.
    """

    def mtime_ns(base: str) -> int | None:
        try:
            return directories.stat(base, places[base]).st_mtime_ns
        except FileNotFoundError:
            return None

    for base in in_order(places, mtime_ns):
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
    try:
        descriptor = directories.open_file(base, place)
    except FileNotFoundError as error:
        raise MailboxChangedError(f"{base!r}: was moved while it was read") from error
    try:
        yield from read_pieces(descriptor)
    finally:
        os.close(descriptor)
