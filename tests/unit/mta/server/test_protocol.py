"""Tests of the LMTP shell: ``mta.server.protocol``, ``recipients``, ``incoming`` and ``factory``."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address, IPv6Address

from delivery.messages import IN_MEMORY_OCTETS, MessageInput
from mta.server.factory import LmtpFactory
from mta.server.good_recipients import GOOD_SECONDS
from mta.server.incoming import HELD_OCTETS_MAX
from mta.server.protocol import CLOSE_SECONDS, HELD_SECONDS, INPUT_OCTETS_MAX, LmtpProtocol
from mta.server.recipients import CHECK_SECONDS, PATIENCE_SECONDS
from mta.server.settings import LmtpSettings
from mta.smtp.steps import Send
from serving.certificates import TlsMaterial, make_self_signed
from serving.limits import ConnectionLimits
from serving.tls import ServerTls
from spool.errors import NoSuchUserError
from tests.unit.mta.server.world import Connection, TcpTransport

BODY = (b"Subject: x", b"", b"body", b".")


def open_files() -> int:
    """How many messages are kept in memory files; what other tests left open may be closed at any time."""
    gc.collect()
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(each.readlink()))
    return sum(link.startswith("/memfd:message") for link in links)


def test_a_message_is_delivered_to_each_recipient_and_each_is_answered() -> None:
    client = Connection()
    assert client.answers() == ["220"]
    assert client.begin("a@y", "nobody@y", "full@y", "b@y") == [
        "250",
        "250 2.1.0",
        "250 2.1.5",
        "550 5.1.1",
        "452 4.2.2",
        "250 2.1.5",
    ]
    assert client.ask(b"DATA", *BODY) == ["354", "250 2.1.5", "250 2.1.5"]
    stored = b"Subject: x\n\nbody\n"
    assert client.deliveries.delivered == [("a@y", "s@x", stored), ("b@y", "s@x", stored)]
    assert client.service.totals.lmtp_delivered == 2
    assert client.ask(b"QUIT") == ["221 2.0.0"]
    assert client.transport.disconnecting


def test_a_slow_recipient_holds_up_only_the_replies_behind_it_and_not_for_long() -> None:
    client = Connection(LmtpSettings(reply_seconds=30))
    client.deliveries.slow = {"slow@y"}
    client.begin("a@y", "slow@y", "b@y")
    assert client.ask(b"DATA", *BODY) == ["354", "250 2.1.5"]
    assert [address for address, _, _ in client.deliveries.delivered] == ["a@y", "slow@y", "b@y"]
    client.clear()
    client.clock.advance(30)
    assert client.answers() == ["451 4.4.2", "250 2.1.5"]
    assert client.deliveries.cancelled == ["slow@y"]
    client.deliveries.waiting["slow@y"].callback(None)  # it was delivered nevertheless
    assert client.answers() == ["451 4.4.2", "250 2.1.5"]
    assert client.ask(b"NOOP") == ["250 2.0.0"]


def test_a_message_is_kept_until_the_last_delivery_has_read_it() -> None:
    client = Connection()
    client.deliveries.slow = {"slow@y"}
    before = open_files()
    client.begin("slow@y")
    client.ask(b"DATA", *BODY)
    client.clock.advance(31)
    assert open_files() == before + 1
    client.deliveries.waiting["slow@y"].callback(None)
    assert open_files() == before


def test_trouble_that_nobody_foresaw_is_temporary() -> None:
    client = Connection()
    client.deliveries.failing = {"a@y": ZeroDivisionError("secret")}
    client.begin("a@y")
    assert client.ask(b"DATA", *BODY) == ["354", "451 4.3.0"]
    assert b"secret" not in client.sent()


def test_trouble_with_one_recipient_is_not_the_trouble_of_others() -> None:
    client = Connection()
    client.deliveries.slow = {"slow@y"}
    client.deliveries.raising = {"a@y": ZeroDivisionError("secret")}
    before = open_files()
    client.begin("slow@y", "a@y", "b@y")
    assert client.ask(b"DATA", *BODY) == ["354"]
    assert open_files() == before + 1
    client.deliveries.waiting["slow@y"].callback(None)
    assert client.answers() == ["354", "250 2.1.5", "451 4.3.0", "250 2.1.5"]
    assert open_files() == before


def test_a_recipient_that_is_not_checked_soon_is_taken_and_the_check_is_given_up_later() -> None:
    client = Connection()
    client.ask(b"LHLO c", b"MAIL FROM:<s@x>")
    assert client.ask(b"RCPT TO:<slow-check@y>") == []
    client.clear()
    client.clock.advance(PATIENCE_SECONDS)
    assert client.answers() == ["250 2.1.5"]
    assert client.deliveries.cancelled == []
    client.clock.advance(CHECK_SECONDS)
    assert client.deliveries.cancelled == ["slow-check@y"]
    assert client.service.totals.lmtp_refused == 0


def test_recipients_that_are_not_checked_soon_hold_up_a_message_for_a_moment_in_all() -> None:
    client = Connection()
    client.begin(*(f"slow-check-{number}@y" for number in range(100)))
    client.clock.pump([PATIENCE_SECONDS / 50] * 250)  # each has half the time of the one before
    assert client.answers()[-1] == "250 2.1.5"
    assert client.ask(b"DATA", *BODY)[0] == "354"
    assert client.begin("slow-check@y") == []  # with the next message it has its full time again


def test_a_client_that_goes_away_stops_the_check_and_leaves_no_file() -> None:
    before = open_files()
    client = Connection()
    client.begin("a@y")
    client.ask(b"DATA", b"half a message")
    client.lose()
    assert open_files() == before
    other = Connection()
    other.begin("slow-check@y")
    other.lose()
    assert other.deliveries.cancelled == ["slow-check@y"]
    assert other.service.totals.lmtp_connections_open == 0


def test_a_client_that_goes_away_while_its_message_is_delivered_is_answered_nothing() -> None:
    client = Connection()
    client.deliveries.slow = {"slow@y"}
    client.begin("slow@y")
    client.ask(b"DATA", *BODY)
    client.lose()
    client.deliveries.waiting["slow@y"].callback(None)
    assert client.service.totals.lmtp_delivered == 1


def test_a_large_message_is_stored_in_a_thread_while_the_client_waits() -> None:
    client = Connection()
    client.begin("a@y")
    client.ask(b"DATA")
    client.hold_threads = True
    line = b"x" * 1022 + b"\r\n"
    while not client.threads:
        client.protocol.dataReceived(line * 64)
    assert client.transport.producerState == "paused"
    client.threads.pop()()
    assert client.transport.producerState == "producing"
    client.protocol.dataReceived(b".\r\n")
    while client.threads:
        client.threads.pop(0)()
    ((_, _, octets),) = client.deliveries.delivered
    assert len(octets) > IN_MEMORY_OCTETS
    assert set(octets) == set(b"x\n")
    assert client.answers()[-1] == "250 2.1.5"


def test_a_connection_that_is_lost_while_its_message_is_stored_leaves_no_file() -> None:
    before = open_files()
    client = Connection()
    client.begin("a@y")
    client.ask(b"DATA")
    client.hold_threads = True
    while not client.threads:
        client.protocol.dataReceived(b"x" * 65536)
    client.lose()
    client.threads.pop()()
    assert open_files() == before


def test_a_client_that_goes_away_while_the_end_of_its_message_is_stored_has_it_delivered() -> None:
    before = open_files()
    client = Connection()
    client.begin("a@y")
    client.ask(b"DATA")
    client.hold_threads = True
    sent = 0
    while not client.threads:
        client.protocol.dataReceived(b"x" * 65536)
        sent += 65536
    client.threads.pop()()
    client.protocol.dataReceived(b"end\r\n.\r\n")
    client.lose()
    client.threads.pop()()
    assert [octets for _, _, octets in client.deliveries.delivered] == [b"x" * sent + b"end\n"]
    assert open_files() == before


def test_after_trouble_with_storing_it_nothing_more_of_a_message_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def full(_: MessageInput, octets: bytes) -> None:
        tried.append(octets)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MessageInput, "write", full)
    client = Connection()
    client.begin("a@y")
    client.ask(b"DATA")
    for _ in range(2 * HELD_OCTETS_MAX // 65536 + 2):
        client.protocol.dataReceived(b"x" * 65536)
    assert client.ask(b"", b".") == ["452 4.3.1"]
    assert len(tried) == 1


@pytest.mark.parametrize("step", ["__init__", "write", "finish"])
@pytest.mark.parametrize(
    ("number", "reply"), [(errno.ENOSPC, "452 4.3.1"), (errno.EDQUOT, "452 4.3.1"), (errno.EMFILE, "451 4.3.0")]
)
def test_a_message_that_cannot_be_stored_is_refused_for_now(
    monkeypatch: pytest.MonkeyPatch, step: str, number: int, reply: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(MessageInput, step, fails)
    client = Connection()
    client.begin("a@y", "b@y")
    assert client.ask(b"DATA", *BODY) == ["354", reply, reply]
    assert client.deliveries.delivered == []
    assert client.ask(b"NOOP") == ["250 2.0.0"]


def test_starttls_begins_anew_without_what_was_sent_before_it() -> None:
    context = ServerTls(TlsMaterial(*make_self_signed("localhost")))
    client = Connection(tls=context)
    assert client.ask(b"LHLO c", b"STARTTLS", b"NOOP") == ["250", "220 2.0.0"]
    assert client.transport.contexts == [context]
    assert client.ask(b"NOOP") == []
    protocol = client.protocol
    assert isinstance(protocol, LmtpProtocol)
    protocol.handshakeCompleted()
    assert client.ask(b"MAIL FROM:<s@x>", b"LHLO c") == ["503 5.5.1", "250"]
    assert b"STARTTLS" not in client.sent()


def test_after_quit_nothing_is_taken() -> None:
    client = Connection()
    assert client.ask(b"QUIT") == ["221 2.0.0"]
    assert client.ask(b"NOOP") == []


def test_a_client_that_goes_away_in_the_middle_of_its_answers_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Connection()

    def vanish(_: bytes) -> None:
        monkeypatch.undo()
        client.lose()

    monkeypatch.setattr(client.transport, "write", vanish)
    assert client.ask(b"LHLO c", b"NOOP") == []
    assert client.service.totals.lmtp_connections_open == 0


def test_nothing_is_carried_out_for_a_client_that_went_away_meanwhile() -> None:
    client = Connection()
    client.clear()

    def steps() -> Iterator[Send]:
        client.lose()
        yield Send(b"too late")

    assert isinstance(client.protocol, LmtpProtocol)
    client.protocol._carry_out(steps())
    assert client.sent() == b""


def test_a_connection_that_cannot_be_answered_rightly_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    client = Connection()
    client.begin("a@y")
    assert isinstance(client.protocol, LmtpProtocol)
    monkeypatch.setattr(client.protocol._recipients, "deliver", broken)
    assert client.ask(b"DATA", *BODY) == ["354"]
    assert client.transport.disconnected


def test_an_idle_client_is_sent_away() -> None:
    client = Connection(LmtpSettings(idle_seconds=60))
    client.clock.advance(59)
    client.ask(b"NOOP")
    client.clock.advance(59)
    client.clear()
    client.clock.advance(1)
    assert client.answers() == ["421 4.4.2"]
    assert client.transport.disconnecting
    client.clock.advance(CLOSE_SECONDS)
    assert client.transport.disconnected
    client.lose()
    assert client.service.totals.lmtp_connections_open == 0


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    client = Connection(LmtpSettings(idle_seconds=60))
    producer = client.transport.producer
    assert producer is not None
    producer.pauseProducing()
    assert client.transport.producerState == "paused"
    producer.resumeProducing()
    assert client.transport.producerState == "producing"
    producer.pauseProducing()
    client.clock.advance(60)
    assert client.transport.disconnected


def test_input_that_must_wait_stays_with_the_client() -> None:
    client = Connection()
    client.begin("slow-check@y")
    client.ask(*[b"NOOP " + b"x" * 1000] * (INPUT_OCTETS_MAX // 1000))
    assert client.transport.producerState == "paused"
    assert HELD_OCTETS_MAX >= 64 * 1024


def test_draining_ends_connections_between_messages() -> None:
    idle = Connection()
    idle.clear()
    idle.factory.drain()
    assert idle.answers() == ["421 4.3.2"]
    busy = Connection()
    busy.begin("a@y")
    busy.factory.drain()
    assert busy.ask(b"DATA", *BODY) == ["354", "250 2.1.5"]


def test_the_address_of_a_client_is_logged_and_counted() -> None:
    client = Connection(connections=1)
    events: list[dict[str, object]] = []
    client.service.log.observer = events.append  # type: ignore[assignment]
    assert not isinstance(client.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 5)), LmtpProtocol)
    client.lose()
    peer = client.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 5))
    assert isinstance(peer, LmtpProtocol)
    assert [event["peer"] for event in events] == ["192.0.2.7:5"]


def test_a_message_that_is_refused_for_all_is_logged_for_each() -> None:
    client = Connection(LmtpSettings(bare_line_ends="refuse"))
    events: list[dict[str, object]] = []
    client.service.log.observer = events.append  # type: ignore[assignment]
    client.begin("a@y", "b@y")
    assert client.ask(b"DATA", b"a\nb", b".") == ["354", "550 5.6.0", "550 5.6.0"]
    assert [(event["recipient"], str(event["outcome"])[:5]) for event in events] == [("a@y", "5.6.0"), ("b@y", "5.6.0")]
    assert client.service.totals.lmtp_refused == 2


def test_what_a_client_chose_looks_like_no_field_in_the_log() -> None:
    client = Connection()
    events: list[dict[str, object]] = []
    client.service.log.observer = events.append  # type: ignore[assignment]
    client.deliveries.failing = {"a outcome=b@y": NoSuchUserError("no assignment of 'a outcome=b\xf6'")}
    client.begin('"a outcome=b"@y')
    client.ask(b"DATA", *BODY)
    (event,) = events
    assert event["recipient"] == "a\\x20outcome=b@y"
    assert event["outcome"] == "5.1.1 no assignment of 'a outcome\\x3db\\xf6'"


def test_connections_are_bounded() -> None:
    client = Connection(connections=0)
    assert client.answers() == ["421 4.7.0"]
    assert client.transport.disconnecting


@pytest.mark.parametrize(
    ("key", "value"), [("message_octets", 0), ("recipients", 99), ("idle_seconds", 0.0), ("reply_seconds", -1.0)]
)
def test_a_wrong_setting_is_named(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{key}: expected"):
        LmtpSettings(**{key: value})  # type: ignore[arg-type]


def test_an_ipv4_client_of_an_ipv6_socket_counts_as_the_client_it_is() -> None:
    limits = ConnectionLimits(connections=10, per_address=1)
    factory = LmtpFactory(Connection().service, admission=limits, host_name="mail.example.org")
    for mapped in (IPv6Address("TCP", "::ffff:127.0.0.1", 1), IPv4Address("TCP", "127.0.0.1", 2)):
        factory.buildProtocol(mapped)
    assert limits.open_connections == 1


def test_replies_do_not_wait_in_the_kernel_and_a_dead_client_is_found_out() -> None:
    transport = TcpTransport()
    Connection().factory.buildProtocol(None).makeConnection(transport)  # type: ignore[no-untyped-call]
    assert transport.options == ["nodelay=True", "keepalive=True"]


def test_replies_to_pipelined_commands_are_sent_together_once_the_recipients_are_checked() -> None:
    client = Connection()
    assert client.begin("a@y", "slow-check@y") == []
    client.clock.advance(PATIENCE_SECONDS)
    assert client.answers() == ["250", "250 2.1.0", "250 2.1.5", "250 2.1.5"]


def test_replies_do_not_wait_long_for_those_behind_them() -> None:
    client = Connection()
    assert client.begin("slow-check-1@y", "slow-check-2@y") == []
    client.clock.advance(HELD_SECONDS)
    assert client.answers() == ["250", "250 2.1.0", "250 2.1.5"]


def test_a_recipient_that_was_good_a_moment_ago_is_not_looked_at_again() -> None:
    client = Connection()
    client.begin("a@y", "full@y")
    assert client.begin("a@y", "full@y")[-2:] == ["250 2.1.5", "452 4.2.2"]
    assert client.deliveries.checked == ["a@y", "full@y", "full@y"]
    client.ask(b"DATA", *BODY)
    client.clock.advance(GOOD_SECONDS)
    client.begin("a@y")
    assert client.deliveries.checked == ["a@y", "full@y", "full@y", "a@y"]


def test_a_recipient_whose_delivery_failed_is_looked_at_again() -> None:
    client = Connection()
    client.deliveries.failing = {"a@y": NoSuchUserError("gone")}
    client.begin("a@y")
    assert client.ask(b"DATA", *BODY) == ["354", "550 5.1.1"]
    client.begin("a@y")
    assert client.deliveries.checked == ["a@y", "a@y"]
