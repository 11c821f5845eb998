from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.channel import (
    BODY_OCTETS_MAX,
    JSON_OCTETS_MAX,
    Channel,
    ChannelError,
    ChannelFullError,
    Frame,
    FrameDecoder,
    encode,
    socket_pair,
)

MESSAGES = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.booleans(), max_size=4)
FRAMES = st.lists(st.builds(Frame, MESSAGES, st.binary(max_size=40)), max_size=5)


def send_without_end(channel: Channel) -> None:
    while True:
        channel.send_now(Frame(body=bytes(1000)))


def pair() -> tuple[Channel, Channel]:
    one, other = socket_pair()
    return Channel(one), Channel(other)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1))
def test_frames_do_not_depend_on_how_reads_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    octets = b"".join(map(encode, frames))
    decoder, found, index = FrameDecoder(), [], 0
    while octets:
        cut = cuts[index % len(cuts)]
        found += decoder.feed(octets[:cut])
        octets, index = octets[cut:], index + 1
    assert found == frames


@given(st.binary(max_size=200))
def test_any_octets_give_frames_or_an_error(octets: bytes) -> None:
    decoder = FrameDecoder()
    try:
        frames = decoder.feed(octets)
    except ChannelError:
        return
    assert all(isinstance(frame.message, dict) for frame in frames)


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack("!BII", 2, 2, 0) + b"{}",
        struct.pack("!BII", 0, JSON_OCTETS_MAX + 1, 0),
        struct.pack("!BII", 0, 2, BODY_OCTETS_MAX + 1),
        struct.pack("!BII", 0, 2, 0) + b"[]",
        struct.pack("!BII", 0, 2, 0) + b"{]",
        struct.pack("!BII", 0, 60000, 0) + b"[" * 60000,
        struct.pack("!BII", 1, 2, 0) + b"{}",
    ],
)
def test_what_is_not_a_frame_is_an_error(octets: bytes) -> None:
    with pytest.raises(ChannelError):
        FrameDecoder().feed(octets)


@pytest.mark.parametrize("frame", [Frame({"a": "x" * JSON_OCTETS_MAX}), Frame(body=bytes(BODY_OCTETS_MAX + 1))])
def test_a_frame_over_its_limit_is_not_sent(frame: Frame) -> None:
    with pytest.raises(ChannelError):
        encode(frame)


def test_a_descriptor_without_a_frame_is_an_error_and_closed() -> None:
    reader, writer = os.pipe()
    with pytest.raises(ChannelError):
        FrameDecoder().feed(encode(Frame({"a": 1})), [reader])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)


def test_descriptors_of_frames_before_a_broken_one_are_closed() -> None:
    reader, writer = os.pipe()
    good = encode(Frame({}, descriptor=99))
    with pytest.raises(ChannelError):
        FrameDecoder().feed(good + bytes([7]) * 9, [reader])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)


def test_credentials_are_not_in_the_repr() -> None:
    assert "secret" not in repr(Frame({"password": "secret"}, b"secret"))


def test_a_frame_with_body_and_descriptor_arrives_whole() -> None:
    one, other = pair()
    reader, writer = os.pipe()
    with one, other:
        one.send(Frame({"kind": "pipe"}, b"body", reader))
        os.close(reader)
        frame = other.receive()
        assert frame is not None
        assert (frame.message, frame.body) == ({"kind": "pipe"}, b"body")
        assert frame.descriptor is not None
        os.write(writer, b"through")
        assert os.read(frame.descriptor, 100) == b"through"
        os.close(frame.descriptor)
    os.close(writer)


def test_many_frames_with_descriptors_keep_their_order() -> None:
    one, other = pair()
    with one, other:
        pipes = [os.pipe() for _ in range(5)]
        for number, (reader, _) in enumerate(pipes):
            one.send(Frame({"number": number}, descriptor=reader))
            one.send(Frame({"between": True}))
        inodes = [os.fstat(reader).st_ino for reader, _ in pipes]
        received = []
        for _ in range(10):
            frame = other.receive()
            assert frame is not None
            if frame.descriptor is not None:
                received.append(os.fstat(frame.descriptor).st_ino)
                frame.discard()
        assert received == inodes
        for ends in pipes:
            for end in ends:
                os.close(end)


def test_the_end_of_the_other_side_is_none_for_a_waiting_reader_and_an_error_for_a_polling_one() -> None:
    one, other = pair()
    with other:
        one.close()
        assert other.receive() is None
        with pytest.raises(ChannelError):
            other.receive_now()


def test_polling_an_open_channel_with_nothing_in_it_finds_nothing() -> None:
    one, other = pair()
    with one, other:
        assert other.receive_now() == ()
        one.send(Frame({"a": 1}))
        assert other.receive_now() == [Frame({"a": 1})]


def test_sending_to_a_closed_channel_is_an_error() -> None:
    one, other = pair()
    with one:
        other.close()
        for send in (one.send, one.send_now):
            with pytest.raises(ChannelError):
                send(Frame({"a": 1}))


def test_sending_without_waiting_fails_once_the_other_side_does_not_read() -> None:
    one, other = pair()
    with one, other, pytest.raises(ChannelFullError):
        send_without_end(one)


def test_a_frame_that_fits_only_in_part_counts_as_unsent() -> None:
    one, other = pair()
    with one, other, pytest.raises(ChannelFullError):
        one.send_now(Frame(body=bytes(BODY_OCTETS_MAX)))


def test_frames_that_were_received_but_not_taken_are_closed_with_the_channel() -> None:
    one, other = pair()
    reader, writer = os.pipe()
    with one:
        one.send(Frame({"first": True}))
        one.send(Frame({"second": True}, descriptor=reader))
        assert other.receive() == Frame({"first": True})
        other.close()
        other.close()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"nobody reads")
    os.close(writer)


def test_detaching_leaves_the_descriptor_open() -> None:
    one, other = pair()
    with other, socket.socket(fileno=one.detach()) as end:
        end.sendall(encode(Frame({"a": 1})))
        assert other.receive() == Frame({"a": 1})


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"key": 1}, Frame.text),
        ({}, Frame.text),
        ({"key": True}, Frame.number),
        ({"key": "1"}, Frame.number),
        ({"key": [1, True]}, Frame.numbers),
        ({"key": 1}, Frame.numbers),
    ],
)
def test_a_field_of_the_wrong_type_is_an_error(message: dict[str, object], read: object) -> None:
    with pytest.raises(ChannelError):
        read(Frame(message), "key")  # type: ignore[operator]


def test_a_frame_sent_whole_is_sent_though_the_reader_leaves_at_once() -> None:
    near, far = socket_pair()
    with Channel(LeavingReader(near, far)) as channel:
        channel.send(Frame({"last": True}))


class LeavingReader(socket.socket):
    """A socket whose other end is closed right after it got the first octets."""

    def __init__(self, end: socket.socket, other: socket.socket) -> None:
        super().__init__(fileno=end.detach())
        self._other = other

    def send(self, *arguments: object) -> int:
        sent = super().send(*arguments)  # type: ignore[arg-type]
        self._other.close()
        return sent
