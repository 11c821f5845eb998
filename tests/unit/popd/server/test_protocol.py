"""Tests of popd.server.protocol."""

from __future__ import annotations

import dataclasses

import pytest

from accounts.requests import Challenge, Peer, RefusalReason, Refused, SaslAbandon, SessionEnded
from popd.pop3.steps import SessionPolicy
from popd.server import tls_facts
from popd.server.protocol import CLOSE_SECONDS, COMMANDS_PER_TURN, HANDSHAKE_SECONDS, WORK_SECONDS
from popd.server.settings import Pop3Settings
from popd.server.tls_facts import TlsFacts
from spool.errors import MailboxChangedError
from tests.unit.popd.server.fakes import BUFFER_OCTETS, FRED, PEER, TIMESTAMP, Client

MESSAGE = b"Subject: one\r\n\r\n.dot\r\n"
IN_TLS = SessionPolicy(tls_active=True, timestamp=TIMESTAMP)


@pytest.fixture
def _facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_facts, "describe", lambda _: "TLSv1.3 NONE")
    monkeypatch.setattr(TlsFacts, "of", classmethod(lambda cls, _: cls()))


# -- the beginning


def test_the_greeting_is_sent_at_once_with_the_time_stamp() -> None:
    assert Client().hear() == b"+OK POP3 ready " + TIMESTAMP + b"\r\n"


def test_small_replies_are_not_held_back_and_dead_peers_are_found() -> None:
    assert Client().transport.options == ["nodelay=True", "keepalive=True"]


def test_a_local_socket_has_no_tcp_options() -> None:
    assert Client(peer=Peer("unix", 0)).transport.options == []


@pytest.mark.usefixtures("_facts")
def test_implicit_tls_greets_after_the_handshake() -> None:
    client = Client(policy=IN_TLS)
    assert client.hear() == b""
    client.protocol.handshakeCompleted()
    assert client.hear().startswith(b"+OK POP3 ready")
    client.log_in()
    assert client.authenticator.asked[0].peer == dataclasses.replace(PEER, tls=True)


def test_a_handshake_that_does_not_end_is_broken_off() -> None:
    client = Client(policy=IN_TLS)
    client.clock.advance(HANDSHAKE_SECONDS)
    assert client.transport.aborted
    client.transport.lose()
    assert client.log_lines() == [
        "ended: peer=192.0.2.7:1022 user=- retrieved=0 deleted=0 octets=0 reason=timed out, handshake"
    ]


# -- order


def test_pipelined_commands_wait_for_a_slow_login_and_are_answered_in_order() -> None:
    client = Client(MESSAGE)
    client.hear()
    assert client.say(b"USER fred", b"PASS secret", b"STAT", b"NOOP") == b"+OK send your password\r\n"
    client.authenticator.waiting[0].callback(FRED)
    assert client.hear() == b"+OK maildrop has 1 messages (22 octets)\r\n+OK 1 22\r\n+OK done\r\n"


def test_each_reply_is_one_write() -> None:
    client = Client(MESSAGE).log_in()
    client.protocol.dataReceived(b"RETR 1\r\n")
    assert client.transport.writes == [b"+OK 22 octets\r\nSubject: one\r\n\r\n..dot\r\n.\r\n"]


def test_many_pipelined_commands_do_not_keep_the_reactor_from_others() -> None:
    client = Client().log_in()
    assert client.say(*[b"NOOP"] * (COMMANDS_PER_TURN + 1)) == b"+OK done\r\n" * COMMANDS_PER_TURN
    client.clock.advance(0)
    assert client.hear() == b"+OK done\r\n"


def test_requests_that_end_at_once_do_not_nest() -> None:
    client = Client(*[MESSAGE] * 40).log_in()
    assert client.say(*[b"RETR %d" % number for number in range(1, 41)]).count(b"\r\n.\r\n") == 40


def test_a_line_too_long_is_answered_and_skipped() -> None:
    client = Client()
    client.hear()
    assert client.say(b"x" * 300, b"CAPA").startswith(b"-ERR command line too long\r\n+OK capabilities")


# -- bounded memory


def test_a_peer_that_does_not_read_gets_no_further_command_answered() -> None:
    client = Client(b"x" * 40_000 + b"\r\n").log_in()
    client.transport.peer_reads = False
    client.protocol.dataReceived(b"RETR 1\r\n" * 100)
    assert len(client.transport.value()) < BUFFER_OCTETS + 41_000
    assert client.hear().count(b"+OK") == 2
    assert client.hear().count(b"+OK") == 2


def test_input_is_left_in_the_kernel_while_much_of_it_waits() -> None:
    client = Client()
    client.say(b"USER fred", b"PASS secret")
    client.protocol.dataReceived(b"NOOP\r\n" * 20_000)
    assert not client.transport.reading
    client.authenticator.waiting[0].callback(FRED)
    while not client.transport.reading:
        client.clock.advance(0)
    assert client.hear().count(b"+OK done") > 2000


# -- STLS


@pytest.mark.parametrize("segments", [[b"STLS\r\nUSER x\r\n"], [b"STLS\r\nUSER", b" x\r\n"], [b"ST", b"LS\r\n\r\n"]])
def test_what_follows_stls_in_the_clear_is_never_interpreted(segments: list[bytes]) -> None:
    client = Client()
    client.hear()
    for segment in segments:
        client.protocol.dataReceived(segment)
    assert client.hear() == b"+OK begin TLS\r\n"
    assert client.transport.disconnecting
    assert client.transport.tls_context is None
    assert any("octets in the clear after STLS" in line for line in client.log_lines())


@pytest.mark.usefixtures("_facts")
def test_stls_begins_the_session_anew() -> None:
    client = Client()
    client.hear()
    assert client.say(b"USER fred", b"STLS") == b"+OK send your password\r\n+OK begin TLS\r\n"
    assert client.transport.tls_context is client.service.tls
    client.protocol.handshakeCompleted()
    assert client.hear() == b""
    assert client.say(b"PASS secret") == b"-ERR USER first\r\n"
    assert b"STLS" not in client.say(b"CAPA")


def test_input_during_the_handshake_is_not_read_as_commands() -> None:
    client = Client()
    client.say(b"STLS")
    assert client.say(b"USER x") == b""


def test_stls_waits_for_the_command_before_it() -> None:
    client = Client()
    client.hear()
    client.say(b"USER fred", b"PASS wrong", b"STLS")
    assert client.transport.tls_context is None
    client.authenticator.waiting[0].callback(Refused(RefusalReason.CREDENTIALS))
    assert client.transport.tls_context is not None


# -- time


def test_a_login_must_be_done_in_time_however_busy_the_peer_looks() -> None:
    client = Client()
    for _ in range(6):
        client.say(b"CAPA")
        client.clock.advance(10)
    assert client.transport.disconnecting


def test_a_login_that_is_late_through_us_is_not_the_peers_fault() -> None:
    client = Client()
    client.say(b"USER fred", b"PASS secret")
    client.clock.advance(61)
    assert not client.transport.disconnecting
    client.authenticator.waiting[0].callback(FRED)
    client.clock.advance(WORK_SECONDS)
    assert not client.transport.disconnecting


def test_an_idle_session_ends_after_ten_minutes_without_deletions() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"DELE 1")
    client.clock.advance(599)
    assert not client.transport.disconnecting
    client.clock.advance(1)
    assert client.transport.disconnecting
    client.transport.lose()
    assert client.maildrop.committed is None
    assert client.maildrop.closed == 1


def test_any_command_begins_the_idle_time_anew() -> None:
    client = Client().log_in()
    for _ in range(3):
        client.clock.advance(599)
        assert client.say(b"NOOP") == b"+OK done\r\n"


def test_a_running_operation_is_not_idleness() -> None:
    client = Client(MESSAGE).log_in()
    client.maildrop.held = True
    client.say(b"RETR 1")
    client.clock.advance(601)
    client.maildrop.go_on()
    client.clock.advance(599)
    assert client.hear().startswith(b"+OK 22 octets")
    assert not client.transport.disconnecting


def test_a_peer_that_stops_reading_is_dropped() -> None:
    client = Client(b"x" * 70_000 + b"\r\n").log_in()
    client.transport.peer_reads = False
    client.protocol.dataReceived(b"RETR 1\r\n")
    client.clock.advance(600)
    assert client.transport.aborted


def test_a_peer_that_does_not_take_the_farewell_is_dropped() -> None:
    client = Client()
    client.say(b"QUIT")
    assert client.transport.disconnecting
    client.clock.advance(CLOSE_SECONDS)
    assert client.transport.aborted


def test_no_timer_is_left_behind() -> None:
    client = Client().log_in()
    client.transport.lose()
    assert client.clock.getDelayedCalls() == []


# -- the end


def test_quit_is_answered_before_the_connection_is_closed() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"DELE 1")
    client.protocol.dataReceived(b"QUIT\r\nNOOP\r\n")
    assert client.hear() == b"+OK bye\r\n"
    assert client.transport.disconnecting
    assert client.transport.producer is None
    assert client.maildrop.committed == ({1}, set())
    assert client.say(b"STAT") == b""


def test_a_peer_that_vanishes_gets_nothing_committed_and_gives_everything_back() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"DELE 1")
    client.transport.lose()
    assert client.maildrop.committed is None
    assert client.maildrop.closed == 1
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=True)]
    assert client.ended == 1


def test_a_peer_that_has_sent_its_last_command_gets_all_answers() -> None:
    client = Client(MESSAGE)
    client.hear()
    client.protocol.dataReceived(b"USER fred\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nST")
    client.transport.half_close()
    assert client.hear() == b"+OK send your password\r\n"
    assert not client.transport.disconnecting
    client.authenticator.waiting[0].callback(FRED)
    assert client.hear().endswith(b"..dot\r\n.\r\n")
    assert client.transport.disconnecting
    client.transport.lose()
    assert client.maildrop.committed is None
    assert client.maildrop.closed == 1
    assert client.log_lines()[-1].endswith("reason=end of input")


def test_a_peer_that_ends_its_input_between_two_commands_is_done() -> None:
    client = Client(MESSAGE).log_in()
    client.transport.half_close()
    assert client.transport.disconnecting
    assert client.maildrop.committed is None


def test_quit_in_the_last_octets_of_a_peer_commits() -> None:
    client = Client(MESSAGE).log_in()
    client.maildrop.held = True
    client.protocol.dataReceived(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    client.transport.half_close()
    client.maildrop.go_on()
    assert client.maildrop.committed == ({1}, {1})
    client.maildrop.go_on()
    assert client.hear().endswith(b"+OK bye\r\n")


def test_a_peer_that_ends_its_input_after_quit_changes_nothing() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"QUIT")
    client.transport.half_close()
    client.transport.lose()
    assert client.log_lines()[-1].endswith("reason=ConnectionDone")


def test_input_that_ends_between_two_turns_of_many_commands_is_answered_whole() -> None:
    client = Client(MESSAGE).log_in()
    client.protocol.dataReceived(b"NOOP\r\n" * (COMMANDS_PER_TURN + 1))
    client.transport.half_close()
    client.clock.advance(0)
    assert client.hear() == b"+OK done\r\n" * (COMMANDS_PER_TURN + 1)
    assert client.transport.disconnecting


def test_a_peer_that_vanishes_while_its_password_is_checked_gives_a_late_grant_back() -> None:
    client = Client()
    client.say(b"USER fred", b"PASS secret")
    client.transport.lose()
    client.authenticator.waiting[0].callback(FRED)
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=False)]
    assert client.opener.shares == []


def test_a_peer_that_vanishes_while_its_maildrop_is_opened_gives_it_back() -> None:
    client = Client()
    client.opener.held = True
    client.authenticator.answers.append(FRED)
    client.say(b"USER fred", b"PASS secret")
    client.transport.lose()
    assert client.opener.cancelled == 1
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=False)]


def test_a_peer_that_vanishes_in_a_sasl_dialogue_ends_it() -> None:
    client = Client()
    client.authenticator.answers.append(Challenge(b""))
    client.say(b"AUTH PLAIN")
    client.transport.lose()
    assert client.authenticator.told == [SaslAbandon(1)]


def test_a_commit_that_has_begun_finishes_without_the_peer() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"DELE 1")
    client.maildrop.held = True
    client.say(b"QUIT")
    client.transport.lose()
    assert client.maildrop.closed == 0
    client.maildrop.go_on()
    assert client.maildrop.closed == 1
    assert client.service.totals.messages_deleted == 1


def test_a_commit_that_fails_without_the_peer_is_logged() -> None:
    client = Client(MESSAGE).log_in()
    client.say(b"DELE 1")
    client.maildrop.held = True
    client.say(b"QUIT")
    client.transport.lose()
    client.maildrop.waiting.pop()[0].errback(MailboxChangedError("rewritten by mutt"))
    assert client.maildrop.closed == 1
    assert any("rewritten by mutt" in line for line in client.log_lines())


def test_the_last_log_line_counts_what_the_session_did() -> None:
    client = Client(MESSAGE, MESSAGE).log_in()
    client.say(b"RETR 1", b"DELE 1", b"QUIT")
    client.transport.lose()
    assert client.log_lines()[-1] == (
        "ended: peer=192.0.2.7:1022 user=fred retrieved=1 deleted=1 octets=41 reason=ConnectionDone"
    )


# -- draining


def test_draining_tells_a_client_that_is_not_logged_in_to_come_again_and_closes() -> None:
    client = Client()
    client.transport.drain()  # the greeting
    client.protocol.drain()
    assert client.transport.value() == b"-ERR [SYS/TEMP] the service is restarting, try again\r\n"
    assert client.transport.disconnecting


def test_draining_breaks_a_handshake_off() -> None:
    client = Client(policy=IN_TLS)
    client.protocol.drain()
    assert client.transport.aborted


def test_draining_lets_a_login_and_a_session_go_on() -> None:
    client = Client()
    client.say(b"USER fred", b"PASS secret")
    client.protocol.drain()
    client.authenticator.waiting[0].callback(FRED)
    client.protocol.drain()
    assert client.say(b"NOOP").endswith(b"+OK done\r\n")


# -- trouble


def test_trouble_before_a_message_is_a_refusal() -> None:
    client = Client(MESSAGE).log_in()
    client.maildrop.error = MailboxChangedError("/home/fred/Mailbox: inode 7")
    assert client.say(b"RETR 1") == b"-ERR [SYS/TEMP] mailbox was changed by another program\r\n"
    assert b"+OK" in client.say(b"NOOP")


def test_trouble_in_the_middle_of_a_message_drops_the_connection() -> None:
    client = Client(b"x" * 300_000 + b"\r\n").log_in()
    client.maildrop.held = True
    client.say(b"RETR 1")
    client.maildrop.go_on()
    client.maildrop.waiting.pop()[0].errback(MailboxChangedError("truncated"))
    assert client.transport.aborted
    assert b"\r\n.\r\n" not in client.transport.value()
    client.transport.lose()
    assert client.maildrop.closed == 1
    assert client.log_lines()[-1].endswith("reason=broken off")


def test_commands_behind_a_message_broken_off_are_not_answered() -> None:
    client = Client(b"x" * 300_000 + b"\r\n").log_in()
    client.maildrop.held = True
    client.say(b"RETR 1", b"NOOP")
    client.maildrop.go_on()
    client.hear()
    client.maildrop.waiting.pop()[0].errback(MailboxChangedError("truncated"))
    assert client.hear() == b""


def test_a_bug_is_a_temporary_refusal() -> None:
    client = Client(MESSAGE).log_in()
    client.maildrop.error = ZeroDivisionError("secret detail")
    assert client.say(b"RETR 1") == b"-ERR [SYS/TEMP] mail system error\r\n"
    assert any("bug in a session" in line for line in client.log_lines())


def test_a_bug_while_answering_drops_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(MESSAGE).log_in()

    def break_down(_: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client.transport, "write", break_down)
    client.say(b"RETR 1")
    assert client.transport.aborted


def test_idle_and_login_times_are_the_settings() -> None:
    client = Client(settings=Pop3Settings(idle_seconds=30, login_seconds=5))
    client.clock.advance(4)
    client.log_in()
    client.clock.advance(29)
    assert not client.transport.disconnecting
    client.clock.advance(1)
    assert client.transport.disconnecting
