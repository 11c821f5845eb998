"""What a worker and a mail process say to each other: one request, one answer, and so on until the worker closes.

A request is a frame ``{"do": …}``. An answer is one or more frames, all but the last with ``"more": true``; the first
holds its fields, the bodies together make its body. A failure is one frame (``serving.error_frames``). The requests and
their answers:

| request | body | answer | body |
|---|---|---|---|
| ``open``: ``share`` | | ``last_accessed``, ``read_only`` | a line ``octets unique-id`` for each message |
| ``read_ahead``: ``numbers``, ``octets_max`` | | ``sizes`` | the messages, one after the other |
| ``piece``: ``number``, ``stream`` | | | the stream's next piece, empty at the end |
| ``head``: ``number``, ``octets_max`` | | | the first octets |
| ``commit``: ``split`` | two sets of numbers | | |
| ``close`` | | | |
| ``rhosts`` | | | the file's content |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import accounts.rhosts
import serving.errors
import spool.errors
from serving.channel import ChannelError, Frame
from serving.error_frames import error_of, known_errors

ANSWER_OCTETS_MAX: Final = 64 * 1024 * 1024  # the listing of half a million messages
PART_OCTETS: Final = 512 * 1024
NUMBERS_MAX: Final = 1000  # in one read_ahead; the JSON of so many fits into a frame
_ERRORS: Final = known_errors(spool.errors, serving.errors, accounts.rhosts)


def answer_frames(fields: Mapping[str, Any], body: bytes = b"") -> Iterator[Frame]:
    """Cut an answer into frames."""
    while len(body) > PART_OCTETS:
        yield Frame({**fields, "more": True}, body[:PART_OCTETS])
        fields, body = {}, body[PART_OCTETS:]
    yield Frame(fields, body)


class AnswerCollector:
    """Puts the frames of one answer together."""

    def __init__(self) -> None:
        self._fields: Mapping[str, Any] | None = None
        self._parts: list[bytes] = []
        self._octets = 0

    def add(self, frame: Frame) -> Frame | None:
        """Take the next frame; the whole answer once it is there.

        Raises:
            SpoolError: the answer is a failure, of the class it had on the other side.
            ChannelError: the answer is over its limit, or nonsense.
        """
        if "error" in frame.message:
            raise error_of(frame, _ERRORS)
        if self._fields is None:
            self._fields = frame.message
        self._parts.append(frame.body)
        self._octets += len(frame.body)
        if self._octets > ANSWER_OCTETS_MAX:
            raise ChannelError("answer over its limit")
        if frame.message.get("more") is True:
            return None
        return Frame(self._fields, b"".join(self._parts))


def listing(wire_octets: Iterable[int], unique_ids: Iterable[str]) -> bytes:
    """A maildrop's sizes and unique-ids as octets."""
    return b"".join(b"%d %s\n" % (octets, name.encode()) for octets, name in zip(wire_octets, unique_ids, strict=True))


def parse_listing(body: bytes) -> tuple[Sequence[int], Sequence[str]]:
    """Sizes and unique-ids from octets.

    Raises:
        ChannelError: not a listing.
    """
    try:
        lines = [line.split(b" ") for line in body.splitlines()]
        return [int(octets) for octets, _ in lines], [name.decode("ascii") for _, name in lines]
    except ValueError as error:
        raise ChannelError("not a listing") from error


def pack_numbers(deleted: AbstractSet[int], retrieved: AbstractSet[int]) -> Frame:
    """A commit request: each set as bits, so that any maildrop's numbers fit into a frame."""
    first, second = _bits(deleted), _bits(retrieved)
    return Frame({"do": "commit", "split": len(first)}, first + second)


def unpack_numbers(request: Frame) -> tuple[frozenset[int], frozenset[int]]:
    """The two sets of a commit request: deleted, retrieved.

    Raises:
        ChannelError: it is not one.
    """
    split = request.number("split")
    if not 0 <= split <= len(request.body):
        raise ChannelError("not a commit request")
    return _numbers(request.body[:split]), _numbers(request.body[split:])


def _bits(numbers: AbstractSet[int]) -> bytes:
    bits = bytearray(max(numbers, default=-1) // 8 + 1)
    for number in numbers:
        bits[number // 8] |= 1 << number % 8
    return bytes(bits)


def _numbers(bits: bytes) -> frozenset[int]:
    return frozenset(
        index * 8 + offset for index, octet in enumerate(bits) if octet for offset in range(8) if octet >> offset & 1
    )
