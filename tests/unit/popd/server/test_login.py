"""Tests of popd.server.login, seen from the wire."""

from __future__ import annotations

import pytest

from accounts.requests import (
    ApopRequest,
    Challenge,
    Granted,
    PasswordRequest,
    RefusalReason,
    Refused,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)
from popd.pop3.steps import SessionPolicy
from popd.server.login import BUSY_RETRY_SECONDS, BUSY_WAIT_SECONDS
from popd.server.settings import BusyPolicy, Pop3Settings
from spool.errors import HomeUnavailableError
from tests.unit.popd.server.fakes import FRED, PEER, TIMESTAMP, Client

MESSAGE = b"Subject: one\r\n\r\nbody\r\n"
WELCOME = b"+OK maildrop has 0 messages (0 octets)\r\n"
REVERSE = "7.2.0.192.in-addr.arpa"


def greeted(*messages: bytes, settings: Pop3Settings | None = None, policy: SessionPolicy | None = None) -> Client:
    client = Client(*messages, settings=settings, policy=policy)
    client.hear()
    return client


def with_rpop() -> Client:
    return greeted(policy=SessionPolicy(rpop=True))


# -- each way to log in


def test_a_password_keeps_its_spaces() -> None:
    client = greeted()
    client.say(b"USER fred", b"PASS  two  spaces ")
    assert client.authenticator.asked == [PasswordRequest(PEER, b"fred", b" two  spaces ")]


def test_apop_is_asked_with_the_time_stamp_of_the_greeting() -> None:
    client = greeted()
    client.authenticator.answers.append(FRED)
    assert client.say(b"APOP mrose c4c9334bac560ecc979e58001b3e22fb") == WELCOME
    digest = b"c4c9334bac560ecc979e58001b3e22fb"
    assert client.authenticator.asked == [ApopRequest(PEER, b"mrose", digest, TIMESTAMP)]


def test_a_sasl_dialogue_goes_on_until_it_is_granted() -> None:
    client = greeted()
    client.authenticator.answers += [Challenge(b""), FRED]
    assert client.say(b"AUTH PLAIN") == b"+ \r\n"
    assert client.say(b"AGZyZWQAc2VjcmV0") == WELCOME
    assert client.authenticator.asked == [SaslBegin(PEER, 1, "PLAIN", None), SaslContinue(1, b"\0fred\0secret")]


def test_an_initial_response_is_passed_on() -> None:
    client = greeted()
    client.say(b"AUTH PLAIN AGZyZWQAc2VjcmV0")
    assert client.authenticator.asked == [SaslBegin(PEER, 1, "PLAIN", b"\0fred\0secret")]


def test_a_cancelled_dialogue_is_abandoned_and_the_next_has_another_number() -> None:
    client = greeted()
    client.authenticator.answers += [Challenge(b""), Challenge(b"")]
    client.say(b"AUTH PLAIN")
    assert client.say(b"*") == b"-ERR authentication cancelled\r\n"
    assert client.authenticator.told == [SaslAbandon(1)]
    client.say(b"AUTH PLAIN")
    assert client.authenticator.asked[-1].conversation == 2


def test_a_refused_dialogue_needs_no_abandoning() -> None:
    client = greeted()
    client.authenticator.answers.append(Refused(RefusalReason.CREDENTIALS))
    assert client.say(b"AUTH PLAIN =") == b"-ERR [AUTH] authentication failed\r\n"
    client.transport.lose()
    assert client.authenticator.told == []


# -- refusals


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (RefusalReason.CREDENTIALS, b"[AUTH]"),
        (RefusalReason.THROTTLED, b"[SYS/TEMP]"),
        (RefusalReason.TOO_MANY_SESSIONS, b"[IN-USE]"),
        (RefusalReason.LOGIN_DELAY, b"[LOGIN-DELAY]"),
        (RefusalReason.TEMPORARY, b"[SYS/TEMP]"),
        (RefusalReason.PERMANENT, b"[SYS/PERM]"),
    ],
)
def test_each_refusal_has_its_response_code(reason: RefusalReason, code: bytes) -> None:
    client = greeted()
    client.authenticator.answers.append(Refused(reason))
    assert client.say(b"USER fred", b"PASS wrong").splitlines()[1].startswith(b"-ERR " + code + b" ")


def test_a_refusal_is_answered_after_its_delay() -> None:
    client = greeted()
    client.authenticator.answers.append(Refused(RefusalReason.CREDENTIALS, 2.0))
    client.say(b"USER fred", b"PASS wrong")
    client.clock.advance(1.9)
    assert client.hear() == b""
    client.clock.advance(0.1)
    assert client.hear() == b"-ERR [AUTH] authentication failed\r\n"


def test_a_refusal_is_logged_without_the_password_and_with_the_name_escaped() -> None:
    client = greeted()
    client.authenticator.answers.append(Refused(RefusalReason.CREDENTIALS))
    client.say(b"USER {0}%s%n", b"PASS wr0ng")
    assert client.log_lines() == [
        "login failed: peer=192.0.2.7:1022 user={0}%s%n method=password reason=credentials tls=none"
    ]
    assert client.service.totals.login_failures == 1


def test_a_refused_sasl_login_is_logged_with_the_name_the_authenticator_took_from_it() -> None:
    client = greeted()
    client.authenticator.answers.append(Refused(RefusalReason.CREDENTIALS, user=FRED.user))
    client.say(b"AUTH PLAIN AGZyZWQAd3IwbmcK")
    assert client.log_lines() == [
        "login failed: peer=192.0.2.7:1022 user=fred method=PLAIN reason=credentials tls=none"
    ]


def test_a_login_is_logged_and_counted() -> None:
    client = Client(MESSAGE).log_in()
    assert client.log_lines() == ["login: peer=192.0.2.7:1022 user=fred method=password messages=1 tls=none"]
    assert client.service.totals.logins == 1


# -- the maildrop


def test_a_maildrop_that_cannot_be_opened_says_nothing_private_and_frees_the_place() -> None:
    client = greeted()
    client.authenticator.answers.append(FRED)
    client.opener.errors.append(HomeUnavailableError("/home/f/fred: stale NFS handle"))
    assert client.say(b"USER fred", b"PASS secret").endswith(b"-ERR [SYS/TEMP] mail home not available\r\n")
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=False)]
    client.log_in()


def test_a_bug_while_opening_frees_the_place() -> None:
    client = greeted()
    client.authenticator.answers.append(FRED)
    client.opener.errors.append(ZeroDivisionError())
    assert client.say(b"USER fred", b"PASS secret").endswith(b"-ERR [SYS/TEMP] mail system error\r\n")
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=False)]


def busy_client(busy: BusyPolicy, times: int) -> Client:
    client = greeted(settings=Pop3Settings(busy=busy))
    client.authenticator.answers.append(FRED)
    client.opener.be_busy(times)
    client.say(b"USER fred", b"PASS secret")
    return client


def test_a_second_session_is_refused() -> None:
    client = greeted()
    client.authenticator.answers.append(FRED)
    client.opener.be_busy(1)
    assert client.say(b"USER fred", b"PASS secret").endswith(b"-ERR [IN-USE] mailbox in use\r\n")


def test_a_second_session_waits_for_its_turn() -> None:
    client = busy_client("wait", 3)
    assert client.hear() == b""
    client.clock.pump([BUSY_RETRY_SECONDS] * 3)
    assert client.hear() == WELCOME


def test_a_second_session_does_not_wait_for_ever() -> None:
    client = busy_client("wait", 1000)
    client.clock.pump([BUSY_RETRY_SECONDS] * int(BUSY_WAIT_SECONDS / BUSY_RETRY_SECONDS))
    assert client.hear() == b"-ERR [IN-USE] mailbox in use\r\n"


def test_a_second_session_shares() -> None:
    client = busy_client("share", 0)
    assert client.opener.shares == [True]


def test_a_waiting_peer_that_vanishes_is_forgotten() -> None:
    client = busy_client("wait", 1000)
    client.transport.lose()
    assert client.clock.getDelayedCalls() == []
    assert client.authenticator.told == [SessionEnded(FRED.user, opened=False)]


def test_an_answer_too_late_that_grants_nothing_is_nothing() -> None:
    client = greeted()
    client.say(b"USER fred", b"PASS wrong")
    client.transport.lose()
    client.authenticator.waiting[0].callback(Refused(RefusalReason.CREDENTIALS))
    assert client.authenticator.told == []


# -- RPOP


def test_rpop_passes_on_the_verified_names() -> None:
    client = with_rpop()
    client.resolver.pointers[REVERSE] = ["Client.Example."]
    client.resolver.addresses["client.example"] = ["192.0.2.7"]
    client.authenticator.answers.append(FRED)
    assert client.say(b"USER fred", b"RPOP freddy").endswith(WELCOME)
    assert client.authenticator.asked == [RpopRequest(PEER, b"fred", b"freddy", ("client.example",))]
    assert client.log_lines()[0] == (
        "rpop: peer=192.0.2.7:1022 user=fred remote_user=freddy decision=ask client.example"
    )


def test_rpop_from_an_untrusted_port_asks_nobody() -> None:
    client = Client(policy=SessionPolicy(rpop=True), peer=type(PEER)(PEER.address, 1024))
    client.hear()
    assert client.say(b"USER fred", b"RPOP fred").endswith(b"-ERR [AUTH] permission denied\r\n")
    assert client.resolver.asked == []
    assert client.authenticator.asked == []
    assert "decision=source port not in rpop_ports" in client.log_lines()[0]


def test_rpop_without_a_name_service_is_put_off() -> None:
    client = with_rpop()
    client.resolver.error = OSError("network unreachable")
    assert client.say(b"USER fred", b"RPOP fred").endswith(b"-ERR [SYS/TEMP] cannot look up your host name now\r\n")
    assert client.authenticator.asked == []


def test_a_grant_holds_no_ticket_in_its_repr() -> None:
    ticket = Granted(FRED.user, FRED.uid, FRED.gid, FRED.home, b"sealed")
    assert "sealed" not in repr(ticket)
