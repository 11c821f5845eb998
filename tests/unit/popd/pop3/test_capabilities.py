from __future__ import annotations

from dataclasses import replace

import pytest

from popd.pop3.capabilities import announce, mechanisms, offers, permits_password, permits_stls
from popd.pop3.commands import Apop, Command, Last, Noop, Rpop, Stls, XtndXlst, XtndXmit
from popd.pop3.steps import SessionPolicy

CLEARTEXT = SessionPolicy(
    tls_available=True, mechanisms_cleartext=("SCRAM-SHA-256",), mechanisms_tls=("PLAIN", "LOGIN")
)
TLS = replace(CLEARTEXT, tls_active=True)


def tags(policy: SessionPolicy, *, logged_in: bool = False, utf8: bool = False) -> list[str]:
    status, *lines, dot, nothing = announce(policy, logged_in=logged_in, utf8=utf8).octets.decode("ascii").split("\r\n")
    assert (status[:3], dot, nothing) == ("+OK", ".", "")
    return lines


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("policy", [CLEARTEXT, TLS])
@pytest.mark.parametrize("tag", ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8", "LANG"])
def test_what_is_always_true_is_always_announced(policy: SessionPolicy, logged_in: bool, tag: str) -> None:
    assert tag in tags(policy, logged_in=logged_in)


def test_no_password_is_invited_in_the_clear() -> None:
    assert "USER" not in tags(CLEARTEXT)
    assert "SASL SCRAM-SHA-256" in tags(CLEARTEXT)
    assert "USER" in tags(TLS)
    assert "SASL PLAIN LOGIN" in tags(TLS)


def test_policy_may_permit_passwords_in_the_clear() -> None:
    assert "USER" in tags(replace(CLEARTEXT, user_cleartext=True))


def test_without_mechanisms_there_is_no_sasl_line() -> None:
    assert not [tag for tag in tags(replace(CLEARTEXT, mechanisms_cleartext=())) if tag.startswith("SASL")]


def test_stls_is_announced_before_the_login_only() -> None:
    assert "STLS" in tags(CLEARTEXT)
    assert "STLS" not in tags(CLEARTEXT, logged_in=True)


@pytest.mark.parametrize(
    ("policy", "utf8", "permitted"),
    [
        (CLEARTEXT, False, True),
        (CLEARTEXT, True, False),
        (TLS, False, False),
        (replace(CLEARTEXT, tls_available=False), False, False),
    ],
)
def test_stls_is_permitted_once_and_not_after_utf8(policy: SessionPolicy, utf8: bool, permitted: bool) -> None:
    assert permits_stls(policy, utf8=utf8) is permitted
    assert ("STLS" in tags(policy, utf8=utf8)) is permitted


def test_the_implementation_is_named_after_the_login_only() -> None:
    policy = replace(TLS, implementation="mailspool 9")
    assert "IMPLEMENTATION mailspool 9" in tags(policy, logged_in=True)
    assert not any("mailspool" in tag for tag in tags(policy))


def test_nothing_is_said_of_delay_and_expiry_by_default() -> None:
    assert not [tag for tag in tags(TLS) if tag.startswith(("LOGIN-DELAY", "EXPIRE"))]


@pytest.mark.parametrize(("days", "tag"), [(-1, "EXPIRE NEVER"), (0, "EXPIRE 0"), (60, "EXPIRE 60")])
def test_expiry_is_announced(days: int, tag: str) -> None:
    assert tag in tags(replace(TLS, expire_days=days))


def test_the_login_delay_is_announced() -> None:
    assert "LOGIN-DELAY 900" in tags(replace(TLS, login_delay_seconds=900))


@pytest.mark.parametrize(
    ("command", "switch"),
    [
        (Apop(b"mrose", b"0" * 32), {"timestamp": b"<1@example.org>"}),
        (Last(), {"last": True}),
        (Rpop(b"mrose"), {"rpop": True}),
        (Stls(), {"tls_available": True}),
        (XtndXmit(), {"xmit": True}),
    ],
)
def test_a_switch_offers_a_command(command: Command, switch: dict[str, object]) -> None:
    assert not offers(SessionPolicy(), command)
    assert offers(replace(SessionPolicy(), **switch), command)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [Noop(), XtndXlst(b"Subject")])
def test_other_commands_need_no_switch(command: Command) -> None:
    assert offers(SessionPolicy(), command)


def test_passwords_and_mechanisms_follow_tls() -> None:
    assert not permits_password(CLEARTEXT)
    assert permits_password(TLS)
    assert mechanisms(CLEARTEXT) == ("SCRAM-SHA-256",)
    assert mechanisms(TLS) == ("PLAIN", "LOGIN")
