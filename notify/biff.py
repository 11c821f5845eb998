"""``qbiff``: a notice of one message on the terminals of its recipient (qbiff(1))."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import BinaryIO

from notify.heads import HEAD_OCTETS_MAX, MessageHead, read_head
from notify.terminals import Places, terminals_of, write_to_terminal


def biff(
    environment: Mapping[str, str],
    message: BinaryIO,
    notice: Callable[[str, str, MessageHead], str],
    places: Places,
) -> int:
    """Tell the user of a delivery on their terminals; returns on how many.

    Args:
        environment: of an instruction line; USER, LOCAL and SENDER are used. Without one of them nobody is told.
        message: the message, of which the beginning is read.
        notice: makes the text from local part, sender and head.
        places: where terminals are.

    Raises:
        OSError: the message cannot be read.
    """
    try:
        user, local, sender = environment["USER"], environment["LOCAL"], environment["SENDER"]
    except KeyError:
        return 0
    names = terminals_of(user, places)
    if not names:
        return 0
    text = notice(local, sender, read_head(message.read(HEAD_OCTETS_MAX)))
    return sum(write_to_terminal(name, text, os.getuid(), places.devices) for name in names)
