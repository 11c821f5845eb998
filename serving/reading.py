"""Blocking reads of messages in an open maildrop, for threads (``serving.local_maildrops``) and for mail processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from serving.errors import LongerThanListedError
from spool.errors import SpoolError
from spool.mailbox import Maildrop


def read_messages(
    maildrop: Maildrop, wire_octets: Sequence[int], numbers: Sequence[int], octets_max: int
) -> list[bytes]:
    """Read the first of ``numbers`` whole, and as many more as fit in ``octets_max``.

    Args:
        maildrop: an open one.
        wire_octets: the sizes as listed.
        numbers: message numbers, from 1, in the order to read.
        octets_max: how many octets are read in all.

    Raises:
        LongerThanListedError: the first message turns out to have more than ``octets_max``.
        SpoolError: the first message cannot be read. Trouble with a later one is told when that one is asked for.
    """
    messages: list[bytes] = []
    left = octets_max
    for number in numbers:
        if messages and wire_octets[number - 1] > left:
            break
        try:
            message = _at_least(maildrop, number, left + 1)
            if len(message) > left:
                raise LongerThanListedError(f"message {number} has more than {wire_octets[number - 1]} octets")
        except SpoolError:
            if messages:
                break
            raise
        messages.append(message)
        left -= len(message)
    return messages


def read_head(maildrop: Maildrop, number: int, octets_max: int) -> bytes:
    """The first ``octets_max`` octets of a message, or all of a shorter one."""
    return _at_least(maildrop, number, octets_max)[:octets_max]


def _at_least(maildrop: Maildrop, number: int, octets: int) -> bytes:
    """Read until ``octets`` are there or the message ends; the last piece may bring more than was asked for."""
    pieces: list[bytes] = []
    with closing(maildrop.open_message(number)) as reader:
        while octets > 0 and (piece := reader.read()):
            pieces.append(piece)
            octets -= len(piece)
    return b"".join(pieces)
