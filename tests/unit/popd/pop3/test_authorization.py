from __future__ import annotations

import pytest

from popd.pop3.authorization import Authorization
from popd.pop3.commands import Apop, Auth, Capa, Lang, Pass, Quit, Rpop, Stls, User, Utf8
from popd.pop3.states import AuthorizationCommand, Expecting
from popd.pop3.steps import (
    ApopLogin,
    Close,
    PasswordLogin,
    Refusal,
    ResponseCode,
    RpopLogin,
    SaslCancel,
    SaslResponse,
    SaslStart,
    Send,
    SessionPolicy,
    StartTls,
    Step,
)

OPEN = SessionPolicy(
    timestamp=b"<1@example.org>", tls_available=True, user_cleartext=True, mechanisms_cleartext=("SCRAM-SHA-256",)
)
TLS_ONLY = SessionPolicy(tls_available=True, mechanisms_cleartext=("SCRAM-SHA-256",), mechanisms_tls=("PLAIN",))


def ok(steps: tuple[Step, ...]) -> bool:
    (reply,) = steps
    assert isinstance(reply, Send)
    return reply.octets.startswith(b"+OK")


def after(phase: Authorization, *commands: AuthorizationCommand) -> tuple[Step, ...]:
    *_, steps = [phase.take(command) for command in commands]
    return steps


def in_dialogue() -> Authorization:
    phase = Authorization(OPEN)
    phase.take(Auth("SCRAM-SHA-256"))
    phase.challenge(b"")
    return phase


def test_user_and_pass_ask_for_a_login() -> None:
    assert after(Authorization(OPEN), User(b"mrose"), Pass(b"secret")) == (PasswordLogin(b"mrose", b"secret"),)


def test_a_second_user_replaces_the_first() -> None:
    steps = after(Authorization(OPEN), User(b"mrose"), User(b"other"), Pass(b"secret"))
    assert steps == (PasswordLogin(b"other", b"secret"),)


def test_capa_between_user_and_pass_does_no_harm() -> None:
    steps = after(Authorization(OPEN), User(b"mrose"), Capa(), Lang(), Pass(b"secret"))
    assert steps == (PasswordLogin(b"mrose", b"secret"),)


def test_apop_asks_for_a_login_over_the_greetings_time_stamp() -> None:
    steps = after(Authorization(OPEN), Apop(b"mrose", b"0" * 32))
    assert steps == (ApopLogin(b"mrose", b"0" * 32, b"<1@example.org>"),)


def test_rpop_asks_for_a_login_after_user() -> None:
    assert after(Authorization(OPEN), User(b"mrose"), Rpop(b"marshall")) == (RpopLogin(b"mrose", b"marshall"),)


@pytest.mark.parametrize("second", [Pass(b"secret"), Rpop(b"marshall")])
@pytest.mark.parametrize("first", [[], [User(b"mrose"), Apop(b"mrose", b"0" * 32)], [User(b"mrose"), Auth()]])
def test_pass_and_rpop_need_user_before_them(first: list[AuthorizationCommand], second: AuthorizationCommand) -> None:
    assert not ok(after(Authorization(OPEN), *first, second))


def test_a_refused_login_forgets_the_name() -> None:
    phase = Authorization(OPEN)
    after(phase, User(b"mrose"), Pass(b"wrong"))
    assert phase.refuse(Refusal("no", ResponseCode.AUTH)) == (Send(b"-ERR [AUTH] no\r\n"),)
    assert not ok(phase.take(Pass(b"secret")))


@pytest.mark.parametrize("command", [User(b"mrose"), Pass(b"secret"), Auth("PLAIN", b"\0a\0b")])
def test_where_passwords_need_tls_none_is_asked_for_in_the_clear(command: AuthorizationCommand) -> None:
    assert not ok(Authorization(TLS_ONLY).take(command))


def test_tls_permits_passwords_and_other_mechanisms() -> None:
    phase = Authorization(TLS_ONLY)
    assert phase.take(Stls()) == (Send(b"+OK begin TLS\r\n"), StartTls())
    phase.tls_started()
    assert phase.policy.tls_active
    assert ok(phase.take(User(b"mrose")))
    assert phase.take(Auth("PLAIN")) == (SaslStart("PLAIN", None),)
    assert not ok(phase.take(Auth("SCRAM-SHA-256")))


def test_tls_makes_a_name_said_in_the_clear_forgotten() -> None:
    phase = Authorization(OPEN)
    after(phase, User(b"mrose"), Stls())
    phase.tls_started()
    assert not ok(phase.take(Pass(b"secret")))


def test_tls_starts_once() -> None:
    phase = Authorization(OPEN)
    phase.take(Stls())
    phase.tls_started()
    assert not ok(phase.take(Stls()))


def test_tls_does_not_start_after_utf8() -> None:
    assert not ok(after(Authorization(OPEN), Utf8(), Stls()))


def test_a_bare_auth_lists_the_mechanisms() -> None:
    assert Authorization(OPEN).take(Auth()) == (Send(b"+OK mechanisms follow\r\nSCRAM-SHA-256\r\n.\r\n"),)


def test_a_mechanism_starts_with_the_initial_response() -> None:
    assert Authorization(OPEN).take(Auth("SCRAM-SHA-256", b"n,,")) == (SaslStart("SCRAM-SHA-256", b"n,,"),)


@pytest.mark.parametrize(("data", "octets"), [(b"", b"+ \r\n"), (b"\0" * 60, b"+ " + b"A" * 80 + b"\r\n")])
def test_a_challenge_is_one_line_of_base64(data: bytes, octets: bytes) -> None:
    phase = Authorization(OPEN)
    assert phase.challenge(data) == (Send(octets),)
    assert phase.expecting is Expecting.SASL_RESPONSE


@pytest.mark.parametrize(("line", "response"), [(b"", b""), (b"YQ==", b"a")])
def test_a_response_is_decoded(line: bytes, response: bytes) -> None:
    phase = in_dialogue()
    assert phase.take_line(line) == (SaslResponse(response),)
    assert phase.expecting is Expecting.COMMAND


@pytest.mark.parametrize("line", [b"*", b"=", b"NOOP x", b"YQ", b"* ", b"\0", b"\xff"])
def test_a_star_and_what_is_no_base64_end_the_dialogue(line: bytes) -> None:
    phase = in_dialogue()
    cancel, reply = phase.take_line(line)
    assert cancel == SaslCancel()
    assert not ok((reply,))
    assert phase.expecting is Expecting.COMMAND


def test_a_response_too_long_ends_the_dialogue() -> None:
    phase = in_dialogue()
    cancel, reply = phase.line_too_long()
    assert cancel == SaslCancel()
    assert not ok((reply,))
    assert phase.expecting is Expecting.COMMAND


def test_silence_ends_a_dialogue_only_if_there_is_one() -> None:
    assert in_dialogue().timed_out() == (SaslCancel(),)
    assert Authorization(OPEN).timed_out() == ()


def test_quit_closes() -> None:
    assert Authorization(OPEN).take(Quit()) == (Send(b"+OK bye\r\n"), Close())


def test_lang_chooses() -> None:
    assert ok(Authorization(OPEN).take(Lang("en")))
    assert not ok(Authorization(OPEN).take(Lang("mul")))
