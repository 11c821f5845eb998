from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.listings import Listings
from popd.pop3.session import LINE_OCTETS_MAX, Session, UnexpectedCallError
from popd.pop3.states import Expecting, State
from popd.pop3.steps import (
    Close,
    Commit,
    ListHeaders,
    PasswordLogin,
    Refusal,
    ResponseCode,
    SaslCancel,
    SaslStart,
    Send,
    SendMessage,
    SessionPolicy,
    Snapshot,
    StartTls,
    Step,
    SubmitMessage,
)

POLICY = SessionPolicy(
    timestamp=b"<1.2@example.org>",
    tls_available=True,
    user_cleartext=True,
    mechanisms_cleartext=("PLAIN",),
    last=True,
    rpop=True,
    xmit=True,
    bad_commands_before_login=3,
    bad_commands_after_login=4,
)
SNAPSHOT = Snapshot(Listings([120, 200], ["a", "b"]))
NO = Refusal("no", ResponseCode.AUTH)


def fresh(policy: SessionPolicy = POLICY) -> Session:
    session = Session(policy)
    session.greet()
    return session


def asked(session: Session, line: bytes) -> Step:
    """Say a line that leads to one step."""
    (step,) = session.receive(line)
    return step


def logging_in() -> Session:
    session = fresh()
    session.receive(b"USER mrose")
    session.receive(b"PASS secret")
    return session


def logged_in(snapshot: Snapshot = SNAPSHOT) -> Session:
    session = logging_in()
    session.logged_in(snapshot)
    return session


def is_error(step: Step) -> bool:
    return isinstance(step, Send) and step.octets.startswith(b"-ERR ")


# -- greeting ---------------------------------------------------------------------------------------------------------


def test_the_greeting_carries_the_time_stamp() -> None:
    assert Session(POLICY).greet() == (Send(b"+OK POP3 ready <1.2@example.org>\r\n"),)


def test_the_greeting_without_apop_has_none() -> None:
    assert Session(SessionPolicy()).greet() == (Send(b"+OK POP3 ready\r\n"),)


# -- states -----------------------------------------------------------------------------------------------------------


def test_a_session_goes_through_its_states() -> None:
    session = fresh()
    acts: Sequence[Callable[[], tuple[Step, ...]]] = [
        lambda: session.receive(b"USER mrose"),
        lambda: session.receive(b"PASS secret"),
        lambda: session.logged_in(SNAPSHOT),
        lambda: session.receive(b"QUIT"),
        session.committed,
    ]
    states = [session.state]
    for act in acts:
        act()
        states.append(session.state)
    before, now = State.AUTHORIZATION, State.TRANSACTION
    assert states == [before, before, before, now, State.UPDATE, State.CLOSED]


@pytest.mark.parametrize(
    "line",
    [
        b"STAT",
        b"LIST",
        b"RETR 1",
        b"DELE 1",
        b"NOOP",
        b"RSET",
        b"TOP 1 0",
        b"UIDL",
        b"LAST",
        b"XTND XMIT",
        b"XTND XLST A",
    ],
)
def test_the_maildrop_is_closed_before_the_login(line: bytes) -> None:
    session = fresh()
    assert asked(session, line) == Send(b"-ERR command not permitted now\r\n")


@pytest.mark.parametrize(
    "line", [b"USER a", b"PASS a", b"APOP a " + b"0" * 32, b"RPOP a", b"AUTH", b"AUTH PLAIN", b"STLS", b"UTF8"]
)
def test_nobody_logs_in_twice(line: bytes) -> None:
    assert asked(logged_in(), line) == Send(b"-ERR command not permitted now\r\n")


def test_quit_before_the_login_closes_without_update() -> None:
    session = fresh()
    assert session.receive(b"QUIT") == (Send(b"+OK bye\r\n"), Close())
    assert session.state is State.CLOSED


def test_quit_after_the_login_updates_and_then_closes() -> None:
    session = logged_in()
    session.receive(b"DELE 2")
    assert session.receive(b"QUIT") == (Commit(frozenset({2}), frozenset()),)
    assert session.committed() == (Send(b"+OK bye\r\n"), Close())


def test_a_failed_update_is_told_and_closes() -> None:
    session = logged_in()
    session.receive(b"QUIT")
    refusal = Refusal("some deleted messages not removed", ResponseCode.SYS_TEMP)
    assert session.refused(refusal) == (Send(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n"), Close())
    assert session.state is State.CLOSED


@pytest.mark.parametrize("make", [fresh, logging_in, logged_in])
def test_silence_closes_without_a_word_and_without_update(make: Callable[[], Session]) -> None:
    session = make()
    assert session.timed_out() == (Close(),)
    assert (session.state, session.waiting) == (State.CLOSED, False)


def test_silence_in_a_dialogue_gives_the_conversation_up() -> None:
    session = fresh()
    session.receive(b"AUTH PLAIN")
    session.sasl_challenge(b"")
    assert session.timed_out() == (SaslCancel(), Close())


def test_a_closed_session_says_nothing_more() -> None:
    session = logging_in()
    session.timed_out()
    calls: Sequence[Callable[[], tuple[Step, ...]]] = [
        lambda: session.receive(b"NOOP"),
        session.line_too_long,
        session.timed_out,
        lambda: session.logged_in(SNAPSHOT),
        lambda: session.refused(NO),
        lambda: session.sasl_challenge(b""),
        session.tls_started,
        session.message_sent,
        lambda: session.headers_listed([]),
        session.submitted,
        session.committed,
    ]
    assert [call() for call in calls] == [()] * len(calls)


# -- requests and reports ---------------------------------------------------------------------------------------------


def test_a_login_is_out_until_it_is_reported() -> None:
    session = fresh()
    session.receive(b"USER mrose")
    assert not session.waiting
    assert session.receive(b"PASS secret") == (PasswordLogin(b"mrose", b"secret"),)
    assert session.waiting
    assert session.logged_in(SNAPSHOT) == (Send(b"+OK maildrop has 2 messages (320 octets)\r\n"),)
    assert not session.waiting


def test_a_refused_login_may_be_tried_again() -> None:
    session = logging_in()
    assert session.refused(NO) == (Send(b"-ERR [AUTH] no\r\n"),)
    assert (session.state, session.waiting) == (State.AUTHORIZATION, False)


def test_a_sasl_dialogue_ends_in_a_login() -> None:
    session = fresh()
    assert session.receive(b"AUTH PLAIN") == (SaslStart("PLAIN", None),)
    assert session.sasl_challenge(b"") == (Send(b"+ \r\n"),)
    assert session.expecting is Expecting.SASL_RESPONSE
    session.receive(b"AGEAYg==")
    session.logged_in(SNAPSHOT)
    assert (session.state, session.expecting) == (State.TRANSACTION, Expecting.COMMAND)


def test_tls_is_out_until_it_has_started() -> None:
    session = fresh()
    assert session.receive(b"STLS") == (Send(b"+OK begin TLS\r\n"), StartTls())
    assert session.waiting
    assert session.tls_started() == ()
    assert session.policy.tls_active
    assert not session.waiting


def test_the_policy_under_tls_lasts_after_the_login() -> None:
    session = fresh()
    session.receive(b"STLS")
    session.tls_started()
    session.receive(b"USER mrose")
    session.receive(b"PASS secret")
    session.logged_in(SNAPSHOT)
    assert session.policy.tls_active


def test_a_message_is_out_until_it_is_sent() -> None:
    session = logged_in()
    assert session.receive(b"RETR 2") == (SendMessage(2, None),)
    assert session.message_sent() == ()
    assert session.receive(b"QUIT") == (Commit(frozenset(), frozenset({2})),)


def test_a_message_that_could_not_be_read_does_not_count_as_retrieved() -> None:
    session = logged_in()
    session.receive(b"RETR 2")
    assert is_error(session.refused(Refusal("not readable", ResponseCode.SYS_TEMP))[0])
    assert session.receive(b"QUIT") == (Commit(frozenset(), frozenset()),)


def test_headers_are_out_until_they_are_listed() -> None:
    session = logged_in()
    assert session.receive(b"XTND XLST Subject 2") == (ListHeaders(b"Subject", (2,)),)
    assert session.headers_listed([(2, b"hi")]) == (Send(b"+OK headers follow\r\n2 Subject: hi\r\n.\r\n"),)


def test_a_message_for_sending_is_out_until_it_is_submitted() -> None:
    session = logged_in()
    session.receive(b"XTND XMIT")
    assert session.receive(b"To: you") == ()
    assert not session.waiting
    assert session.receive(b".") == (SubmitMessage(b"To: you\n"),)
    assert session.submitted() == (Send(b"+OK message accepted\r\n"),)


def test_no_line_is_taken_while_a_request_is_out() -> None:
    session = logging_in()
    with pytest.raises(UnexpectedCallError):
        session.receive(b"NOOP")
    with pytest.raises(UnexpectedCallError):
        session.line_too_long()


@pytest.mark.parametrize("make", [fresh, logging_in, logged_in])
def test_a_report_nobody_awaits_is_a_bug_of_the_shell(make: Callable[[], Session]) -> None:
    with pytest.raises(UnexpectedCallError):
        make().message_sent()


# -- bad commands and long lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "bearable"), [(fresh, 2), (logged_in, 3)])
@pytest.mark.parametrize("line", [b"BOGUS", b"STLS now", b"RETR\0", b""])
def test_bad_commands_in_a_row_end_the_session(make: Callable[[], Session], bearable: int, line: bytes) -> None:
    session = make()
    for _ in range(bearable):
        assert is_error(asked(session, line))
    assert session.receive(line) == (Send(b"-ERR too many bad commands\r\n"), Close())
    assert session.state is State.CLOSED


def test_a_good_command_makes_bad_ones_forgotten() -> None:
    session = fresh()
    for _ in range(10):
        session.receive(b"BOGUS")
        session.receive(b"STAT")
        session.receive(b"CAPA")
    assert session.state is State.AUTHORIZATION


def test_a_line_too_long_is_a_bad_command() -> None:
    session = fresh()
    assert session.line_too_long() == (Send(b"-ERR command line too long\r\n"),)
    session.line_too_long()
    assert session.line_too_long()[-1] == Close()


def test_a_response_too_long_ends_the_dialogue_only() -> None:
    session = fresh()
    session.receive(b"AUTH PLAIN")
    session.sasl_challenge(b"")
    cancel, reply = session.line_too_long()
    assert cancel == SaslCancel()
    assert is_error(reply)
    assert (session.state, session.waiting, session.expecting) == (State.AUTHORIZATION, False, Expecting.COMMAND)


def test_how_long_a_line_may_be_depends_on_what_it_is() -> None:
    session = fresh()
    limits = [session.line_octets_max]
    session.receive(b"AUTH PLAIN")
    session.sasl_challenge(b"")
    limits.append(session.line_octets_max)
    session.receive(b"AGEAYg==")
    session.logged_in(SNAPSHOT)
    session.receive(b"XTND XMIT")
    limits.append(session.line_octets_max)
    assert limits == [LINE_OCTETS_MAX[kind] for kind in Expecting]
    assert limits[0] == 255


# -- whatever a peer says ---------------------------------------------------------------------------------------------

WORDS = [
    b"USER", b"PASS", b"APOP", b"RPOP", b"AUTH", b"STLS", b"UTF8", b"LANG", b"CAPA", b"STAT", b"LIST", b"UIDL", b"RETR",
    b"TOP", b"DELE", b"NOOP", b"RSET", b"LAST", b"XTND", b"XMIT", b"XLST", b"PLAIN", b"Subject", b"0", b"1", b"2", b"3",
    b"99999999999", b"-1", b"*", b"=", b".", b"..", b"AGEAYg==", b"en", b"%s%n{0}", b"\0", b"\xff", b"[AUTH]",
]  # fmt: skip
LINES = st.lists(st.sampled_from(WORDS), max_size=4).map(b" ".join) | st.binary(max_size=40)


def well_formed(octets: bytes) -> bool:
    status, _, rest = octets.partition(b"\r\n")
    single = len(status) <= 510 and status.startswith((b"+OK ", b"-ERR ", b"+ ")) and b"\n" not in status
    return single and (
        not rest or (status.startswith(b"+OK") and rest.endswith(b".\r\n") and b"\r\n.\r\n" in b"\r\n" + rest)
    )


@given(st.lists(LINES, max_size=12), st.booleans(), st.data())
def test_no_line_in_any_state_does_harm(lines: list[bytes], begin_logged_in: bool, data: st.DataObject) -> None:
    session = logged_in() if begin_logged_in else fresh()
    for line in lines:
        steps = session.line_too_long() if line == b"[AUTH]" else session.receive(line)
        while True:
            assert all(well_formed(step.octets) for step in steps if isinstance(step, Send))
            assert Close() not in steps[:-1]
            if not session.waiting:
                break
            steps = answered(session, steps[-1], grant=data.draw(st.booleans()))
        if session.state is State.CLOSED:
            assert session.receive(line) == ()


def answered(session: Session, request: Step, *, grant: bool) -> tuple[Step, ...]:
    match request:
        case StartTls():
            return session.tls_started()
        case _ if not grant:
            return session.refused(NO)
        case SaslStart():
            return session.sasl_challenge(b"who?")
        case SendMessage():
            return session.message_sent()
        case ListHeaders(_, numbers):
            return session.headers_listed([(number, b"value") for number in numbers])
        case SubmitMessage():
            return session.submitted()
        case Commit():
            return session.committed()
        case _:
            return session.logged_in(SNAPSHOT)


@pytest.mark.parametrize("octets", [254, 255, 256, 1024, 2**20])
@pytest.mark.parametrize("make", [fresh, logged_in])
@pytest.mark.parametrize("keyword", [b"USER", b"PASS", b"AUTH", b"LIST", b"UIDL", b"XTND", b"STAT", b"\xff"])
def test_overlong_arguments_are_refused(make: Callable[[], Session], keyword: bytes, octets: int) -> None:
    assert is_error(asked(make(), (keyword + b" ").ljust(octets, b"%")))


def test_credentials_do_not_show_in_a_request() -> None:
    session = fresh()
    session.receive(b"USER mrose")
    assert "sesame" not in repr(session.receive(b"PASS sesame"))
