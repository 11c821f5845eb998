"""Sending the messages of an open maildrop: small ones read ahead and in one write, long ones streamed.

A thread hop costs about four times a small read, and clients fetch messages in order. So one hop reads the wanted
message and those after it, whose RETRs are then answered at once. A reply in several small writes would wait for the
peer's delayed acknowledgement each time, hence status line, message and terminator in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from popd.pop3.headers import field_value
from popd.pop3.sending import MessageEncoder, encode_whole, status_line
from popd.server.counters import ServiceCounters, SessionCounters
from popd.server.outlet import Outlet
from serving.errors import LongerThanListedError
from serving.maildrops import MessageStream, OpenMaildrop

READ_AHEAD_OCTETS: Final = 256 * 1024
READ_AHEAD_MESSAGES: Final = 64
HEAD_OCTETS: Final = 16 * 1024  # holds nearly every header
LINE_OCTETS: Final = 128  # a generous guess at the lines TOP asks for; a wrong one costs a second read


class MessageSender:
    """Sends messages of one session, one at a time. Its coroutines may be cancelled.

    They raise what the maildrop raises. ``in_the_middle`` then tells whether a part of the reply is already out: if
    so, the connection must be dropped, for whatever is sent next would be taken for the rest of the message.
    """

    def __init__(
        self, maildrop: OpenMaildrop, outlet: Outlet, counts: SessionCounters, totals: ServiceCounters
    ) -> None:
        self.in_the_middle = False
        self._maildrop = maildrop
        self._outlet = outlet
        self._counts = counts
        self._totals = totals
        self._at_hand: dict[int, bytes] = {}
        self._expected = 1

    def send_at_hand(self, number: int, body_lines: int | None) -> bool:
        """Send a message at once if it was read ahead, and say whether it was."""
        message = self._at_hand.get(number)
        if message is None:
            return False
        self._send_whole(number, message, body_lines)
        return True

    async def send(self, number: int, body_lines: int | None) -> None:
        """Send a message, or what TOP asks of it; done when all of it is written."""
        if body_lines is not None:
            await self._send_top(number, body_lines)
        elif self._maildrop.wire_octets[number - 1] > READ_AHEAD_OCTETS:
            await self._stream(number, None)
        else:
            await self._send_and_read_ahead(number)

    async def read_headers(self, field_name: bytes, numbers: Iterable[int]) -> list[tuple[int, bytes]]:
        """Read the first field of that name of each message; of a longer header, only what ``HEAD_OCTETS`` hold."""
        found = []
        for number in numbers:
            head = self._at_hand.get(number) or await self._maildrop.head(number, HEAD_OCTETS)
            found.append((number, field_value(head, field_name)))
        return found

    async def _send_and_read_ahead(self, number: int) -> None:
        numbers = self._worth_reading(number)
        try:
            messages = await self._maildrop.read_ahead(numbers, READ_AHEAD_OCTETS)
        except LongerThanListedError:
            await self._stream(number, None)
            return
        self._at_hand = dict(zip(numbers, messages, strict=False))
        self._send_whole(number, self._at_hand[number], None)

    def _worth_reading(self, number: int) -> Sequence[int]:
        """The message, and those after it if this client reads in order."""
        sizes = self._maildrop.wire_octets
        if number != self._expected:
            return (number,)
        last = min(len(sizes), number + READ_AHEAD_MESSAGES - 1)
        octets = 0
        for end in range(number, last + 1):
            octets += sizes[end - 1]
            if octets > READ_AHEAD_OCTETS:
                return range(number, end)
        return range(number, last + 1)

    def _send_whole(self, number: int, message: bytes, body_lines: int | None) -> None:
        self._write(status_line(len(message), body_lines) + encode_whole(message, body_lines))
        if body_lines is None:
            self._retrieved(number)

    async def _send_top(self, number: int, body_lines: int) -> None:
        octets_max = min(HEAD_OCTETS + body_lines * LINE_OCTETS, READ_AHEAD_OCTETS)
        head = await self._maildrop.head(number, octets_max)
        encoder = MessageEncoder(body_lines)
        encoded = encoder.feed(head)
        if len(head) >= octets_max and not encoder.done:
            await self._stream(number, body_lines)
            return
        self._write(status_line(len(head), body_lines) + encoded + encoder.finish())

    async def _stream(self, number: int, body_lines: int | None) -> None:
        message = self._maildrop.stream(number)
        try:
            await self._send_pieces(number, message, body_lines)
        finally:
            message.close()
        if body_lines is None:
            self._retrieved(number)

    async def _send_pieces(self, number: int, message: MessageStream, body_lines: int | None) -> None:
        encoder = MessageEncoder(body_lines)
        out = status_line(self._maildrop.wire_octets[number - 1], body_lines)
        while not encoder.done and (piece := await message.read()):
            out += encoder.feed(piece)
            await self._outlet.drained()
            self.in_the_middle = True
            self._write(out)
            out = b""
        self._write(out + encoder.finish())
        self.in_the_middle = False

    def _retrieved(self, number: int) -> None:
        self._at_hand.pop(number, None)
        self._expected = number + 1
        self._counts.retrieved += 1
        self._totals.messages_sent += 1

    def _write(self, octets: bytes) -> None:
        self._outlet.write(octets)
        self._counts.octets_sent += len(octets)
        self._totals.octets_sent += len(octets)
