"""Tests of popd.server.messages, seen from the wire."""

from __future__ import annotations

import pytest

from popd.server.messages import HEAD_OCTETS, READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS
from serving.errors import LongerThanListedError
from spool.errors import MailboxUnavailableError
from tests.unit.popd.server.fakes import BUFFER_OCTETS, Client

MESSAGE = b"Subject: one\r\n\r\n.dot\r\nlast\r\n"
LONG = b"Subject: long\r\n\r\n" + b".0123456789abcd\r\n" * 20_000
HALF = b"x" * (READ_AHEAD_OCTETS // 2 + 1)


def test_messages_read_in_order_take_one_hop() -> None:
    client = Client(MESSAGE, MESSAGE, MESSAGE).log_in()
    for number in (1, 2, 3):
        assert client.say(b"RETR %d" % number).endswith(b"\r\n..dot\r\nlast\r\n.\r\n")
    assert client.maildrop.operations == [("read_ahead", [1, 2, 3])]


def test_reading_ahead_goes_on_where_it_stopped() -> None:
    client = Client(*[MESSAGE] * (READ_AHEAD_MESSAGES + 2)).log_in()
    for number in range(1, READ_AHEAD_MESSAGES + 2):
        client.say(b"RETR %d" % number)
    assert [numbers[0] for _, numbers in client.maildrop.operations] == [1, READ_AHEAD_MESSAGES + 1]


def test_reading_ahead_is_bounded_in_octets() -> None:
    client = Client(HALF, HALF, MESSAGE).log_in()
    client.say(b"RETR 1")
    assert client.maildrop.operations == [("read_ahead", [1])]


def test_a_client_that_picks_messages_gets_those_only() -> None:
    client = Client(MESSAGE, MESSAGE, MESSAGE, MESSAGE).log_in()
    client.say(b"RETR 3")
    assert client.maildrop.operations == [("read_ahead", [3])]


def test_a_message_is_forgotten_once_it_was_retrieved() -> None:
    client = Client(MESSAGE, MESSAGE).log_in()
    client.say(b"RETR 1", b"RETR 1")
    assert client.maildrop.operations == [("read_ahead", [1, 2]), ("read_ahead", [1])]


def test_top_of_a_message_at_hand_needs_no_hop() -> None:
    client = Client(MESSAGE, MESSAGE).log_in()
    client.say(b"RETR 1")
    assert client.say(b"TOP 2 0") == b"+OK top of message follows\r\nSubject: one\r\n\r\n.\r\n"
    assert len(client.maildrop.operations) == 1


def test_top_reads_a_head_only() -> None:
    client = Client(LONG).log_in()
    client.protocol.dataReceived(b"TOP 1 1\r\n")
    assert client.transport.writes == [b"+OK top of message follows\r\nSubject: long\r\n\r\n..0123456789abcd\r\n.\r\n"]
    assert client.maildrop.operations == [("head", 1)]


def test_top_of_a_shorter_message_is_all_of_it() -> None:
    client = Client(MESSAGE).log_in()
    assert client.say(b"TOP 1 99999999").endswith(b"\r\n..dot\r\nlast\r\n.\r\n")
    assert client.maildrop.operations == [("head", 1)]


def test_top_streams_when_the_head_was_not_enough() -> None:
    message = b"X: " + b"y" * HEAD_OCTETS + b"\r\n\r\nbody\r\n"
    client = Client(message).log_in()
    assert client.say(b"TOP 1 0") == b"+OK top of message follows\r\n" + message[: -len(b"body\r\n")] + b".\r\n"
    assert client.maildrop.operations == [("head", 1), ("stream", 1)]


def test_top_does_not_count_as_reading() -> None:
    client = Client(MESSAGE, LONG).log_in()
    client.say(b"TOP 1 0", b"TOP 2 99999999", b"QUIT")
    assert client.maildrop.committed is None


def test_a_long_message_is_streamed() -> None:
    client = Client(LONG).log_in()
    reply = client.say(b"RETR 1", b"QUIT")
    assert reply.startswith(b"+OK %d octets\r\nSubject: long\r\n\r\n..0123" % len(LONG))
    assert reply.count(b"\r\n..0123456789abcd") == 20_000
    assert reply.endswith(b"abcd\r\n.\r\n+OK bye\r\n")
    assert client.maildrop.streams[0].closed
    assert client.maildrop.committed == (set(), {1})


def test_a_stream_is_read_no_faster_than_its_reader() -> None:
    client = Client(LONG).log_in()
    client.transport.peer_reads = False
    client.protocol.dataReceived(b"RETR 1\r\n")
    assert client.maildrop.streams[0].reads == 2
    received = [client.hear()]
    assert client.maildrop.streams[0].reads == 3
    while received[-1]:
        assert len(received[-1]) < 3 * BUFFER_OCTETS
        received.append(client.hear())
    assert b"".join(received).count(b"\r\n..0123456789abcd") == 20_000


def test_the_status_line_of_a_stream_comes_with_its_first_piece() -> None:
    client = Client(LONG).log_in()
    client.maildrop.held = True
    client.protocol.dataReceived(b"RETR 1\r\n")
    assert client.transport.writes == []
    client.maildrop.go_on()
    assert len(client.transport.writes) == 1
    assert client.transport.writes[0].startswith(b"+OK %d octets\r\nSubject" % len(LONG))


def test_a_reader_that_vanishes_ends_its_stream() -> None:
    client = Client(LONG).log_in()
    client.transport.peer_reads = False
    client.protocol.dataReceived(b"RETR 1\r\n")
    client.transport.lose()
    assert client.maildrop.streams[0].closed


def test_trouble_at_the_first_piece_is_a_refusal() -> None:
    client = Client(LONG).log_in()
    client.maildrop.error = MailboxUnavailableError("I/O error")
    assert client.say(b"RETR 1") == b"-ERR [SYS/TEMP] mailbox not available\r\n"
    assert client.maildrop.streams[0].closed


def test_a_message_longer_than_listed_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(MESSAGE).log_in()

    def too_long(*_: object) -> None:
        raise LongerThanListedError

    monkeypatch.setattr(client.maildrop, "read_ahead", too_long)
    assert client.say(b"RETR 1").endswith(b"\r\n..dot\r\nlast\r\n.\r\n")
    assert client.maildrop.operations == [("stream", 1)]


def test_headers_are_listed_from_what_is_at_hand_and_what_is_not() -> None:
    client = Client(MESSAGE, MESSAGE.replace(b"one", b"two"), b"From: x\r\n\r\n").log_in()
    assert (
        client.say(b"XTND XLST Subject")
        == b"+OK headers follow\r\n1 Subject: one\r\n2 Subject: two\r\n3 Subject: \r\n.\r\n"
    )
    client.say(b"RETR 1")
    client.maildrop.operations.clear()
    client.say(b"XTND XLST Subject")
    assert client.maildrop.operations == [("head", 1)]


def test_messages_and_octets_are_counted() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"RETR 1", b"TOP 1 0")
    assert client.service.totals.messages_sent == 1
    assert client.service.totals.octets_sent > len(MESSAGE)
