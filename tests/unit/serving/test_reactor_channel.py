from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from serving.channel import BODY_OCTETS_MAX, UNSENT_OCTETS_MAX, Channel, Frame, socket_pair
from serving.reactor_channel import ReactorChannel
from tests.unit.serving.loop import Loop


class Ends:
    """A reactor's channel and the plain one at its other end."""

    def __init__(self) -> None:
        self.loop = Loop()
        ours, theirs = socket_pair()
        self.frames: list[Frame] = []
        self.lost = 0
        self.other = Channel(theirs)
        self.channel = ReactorChannel(self.loop.reactor, ours, self.frames.append, self.on_lost)

    def on_lost(self) -> None:
        self.lost += 1


@pytest.fixture
def ends() -> Iterator[Ends]:
    found = Ends()
    yield found
    found.channel.close()
    found.other.close()


def test_frames_come_through_in_both_directions(ends: Ends) -> None:
    ends.channel.send(Frame({"to": "other"}, b"body"))
    assert ends.other.receive() == Frame({"to": "other"}, b"body")
    ends.other.send(Frame({"to": "reactor"}))
    ends.loop.until(lambda: ends.frames)
    assert ends.frames == [Frame({"to": "reactor"})]


def test_descriptors_come_through_in_both_directions(ends: Ends) -> None:
    reader, writer = os.pipe()
    inode = os.fstat(reader).st_ino
    ends.channel.send(Frame({}, descriptor=reader))
    there = ends.other.receive()
    assert there is not None
    assert there.descriptor is not None
    ends.other.send(Frame({}, descriptor=there.descriptor))
    ends.loop.until(lambda: ends.frames)
    back = ends.frames[0].descriptor
    assert back is not None
    assert os.fstat(back).st_ino == inode
    for descriptor in (reader, writer, there.descriptor, back):
        os.close(descriptor)


def test_what_the_other_side_does_not_read_at_once_is_sent_later(ends: Ends) -> None:
    reader, writer = os.pipe()
    for number in range(4):
        ends.channel.send(Frame({"number": number}, bytes(BODY_OCTETS_MAX), reader))
    os.close(reader)
    received: list[Frame] = []

    def all_came() -> bool:
        received.extend(ends.other.receive_now())
        return len(received) == 4

    ends.loop.until(all_came)
    assert [frame.number("number") for frame in received] == [0, 1, 2, 3]
    for frame in received:
        frame.discard()
    os.close(writer)


def test_a_peer_that_never_reads_loses_the_channel(ends: Ends) -> None:
    for _ in range(UNSENT_OCTETS_MAX // BODY_OCTETS_MAX + 2):
        ends.channel.send(Frame(body=bytes(BODY_OCTETS_MAX)))
    assert not ends.channel.open
    assert ends.lost == 1


def test_the_end_of_the_other_side_is_told_once(ends: Ends) -> None:
    ends.other.send(Frame({"last": True}))
    ends.other.close()
    ends.loop.until(lambda: ends.lost)
    ends.channel.send(Frame({"too": "late"}))
    ends.channel.connectionLost(None)
    assert (ends.frames, ends.lost) == ([Frame({"last": True})], 1)


def test_nonsense_loses_the_channel(ends: Ends) -> None:
    os.write(ends.other.fileno(), b"GET / HTTP/1.0\r\n\r\n")
    ends.loop.until(lambda: ends.lost)
    assert not ends.channel.open


def test_our_own_close_is_not_told(ends: Ends) -> None:
    ends.channel.close()
    assert ends.other.receive() is None
    assert ends.lost == 0
