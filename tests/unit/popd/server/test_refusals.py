"""Tests of popd.server.refusals."""

from __future__ import annotations

import pytest

from accounts.requests import RefusalReason
from popd.pop3.steps import Refusal, ResponseCode
from popd.server import refusals
from popd.server.refusals import LOGIN_REFUSALS, refusal_of
from spool import errors
from spool.errors import SpoolError


def every_error(root: type[SpoolError] = SpoolError) -> list[type[SpoolError]]:
    return [root, *(error for child in root.__subclasses__() for error in every_error(child))]


def test_every_reason_has_its_refusal() -> None:
    assert set(LOGIN_REFUSALS) == set(RefusalReason)


def test_only_wrong_credentials_make_a_client_ask_for_the_password_again() -> None:
    asking = [reason for reason, refusal in LOGIN_REFUSALS.items() if refusal.code in (None, ResponseCode.AUTH)]
    assert asking == [RefusalReason.CREDENTIALS]


@pytest.mark.parametrize("error", every_error())
def test_every_error_has_a_code_and_says_its_public_text_only(error: type[SpoolError]) -> None:
    refusal = refusal_of(error("/var/mail/f/fred: errno 5"))
    assert refusal.text == error.public_text
    assert refusal.code is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MailboxBusyError, ResponseCode.IN_USE),
        (errors.MailboxChangedError, ResponseCode.SYS_TEMP),
        (errors.StorageFullError, ResponseCode.SYS_TEMP),
        (errors.SettingsError, ResponseCode.SYS_PERM),
        (errors.NoSuchUserError, ResponseCode.SYS_PERM),
    ],
)
def test_codes_tell_whether_trying_again_is_of_use(error: type[SpoolError], code: ResponseCode) -> None:
    assert refusal_of(error()).code is code


def test_texts_are_one_line_of_ascii_that_is_no_response_code() -> None:
    texts = [refusal.text for refusal in vars(refusals).values() if isinstance(refusal, Refusal)]
    texts += [refusal.text for refusal in LOGIN_REFUSALS.values()]
    texts += [error.public_text for error in every_error()]
    assert all(text.isascii() and text.isprintable() and text[0].isalpha() for text in texts)
