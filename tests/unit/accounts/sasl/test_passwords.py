from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.requests import Challenge
from accounts.sasl.passwords import LoginConversation, PlainConversation
from accounts.sasl.steps import Failed, PasswordGiven


def test_plain_takes_an_initial_response() -> None:
    assert PlainConversation().begin(b"\0tim\0tanstaaftanstaaf") == PasswordGiven(b"tim", b"tanstaaftanstaaf")


def test_plain_asks_with_nothing_for_what_did_not_come() -> None:
    conversation = PlainConversation()
    assert conversation.begin(None) == Challenge(b"")
    assert conversation.respond(b"tim\0tim\0tanstaaf") == PasswordGiven(b"tim", b"tanstaaf")


@pytest.mark.parametrize(
    "message", [b"", b"tim", b"tim\0tanstaaf", b"\0\0tanstaaf", b"\0tim\0", b"\0tim\0a\0b", b"root\0tim\0tanstaaf"]
)
def test_plain_refuses_what_is_not_two_nuls_or_acts_for_another(message: bytes) -> None:
    assert PlainConversation().begin(message) == Failed()


@given(st.binary(max_size=40))
def test_plain_takes_any_octets(message: bytes) -> None:
    assert isinstance(PlainConversation().begin(message), PasswordGiven | Failed)


def test_login_prompts_for_name_and_password() -> None:
    conversation = LoginConversation()
    assert conversation.begin(None) == Challenge(b"Username:")
    assert conversation.respond(b"tim") == Challenge(b"Password:")
    assert conversation.respond(b"tanstaaf") == PasswordGiven(b"tim", b"tanstaaf")


def test_login_takes_the_name_as_an_initial_response() -> None:
    conversation = LoginConversation()
    assert conversation.begin(b"") == Challenge(b"Password:")
    assert conversation.respond(b"x") == PasswordGiven(b"", b"x")


def test_a_password_does_not_show() -> None:
    assert "tanstaaf" not in repr(PasswordGiven(b"tim", b"tanstaaf"))
