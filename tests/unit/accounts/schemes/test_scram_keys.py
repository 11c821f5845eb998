from __future__ import annotations

import base64

import pytest

from accounts.schemes.errors import UnusablePasswordError, VerifierError
from accounts.schemes.scram_keys import DEFAULT_ITERATIONS, ScramKeys, keys_of
from accounts.schemes.verifiers import make_verifier, require_usable, verify

KEY = base64.b64encode(bytes(32)).decode()


def test_a_verifier_holds_what_rfc_5802_says() -> None:
    keys = keys_of(make_verifier("SCRAM-SHA-256", b"pencil"))
    assert keys == ScramKeys.derive("SCRAM-SHA-256", b"pencil", keys.salt, DEFAULT_ITERATIONS)
    assert (len(keys.salt), len(keys.stored_key), len(keys.server_key)) == (16, 32, 32)


def test_a_verifier_of_another_server_is_understood() -> None:
    # The keys of RFC 7677's sample, as Dovecot would write them.
    keys = ScramKeys.derive("SCRAM-SHA-256", b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    verifier = "{SCRAM-SHA-256}" + keys.text()
    assert verifier.startswith("{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,")
    assert verify(verifier, b"pencil")
    assert not verify(verifier, b"pen")


def test_passwords_are_prepared() -> None:
    # RFC 4013: a non-breaking space is a space, a soft hyphen is nothing.
    verifier = make_verifier("SCRAM-SHA-1", "a\u00adb\u00a0c".encode())
    assert verify(verifier, b"ab c")


@pytest.mark.parametrize("password", [b"\xff\xfe", b"a\x07b"])
def test_a_password_that_cannot_be_prepared_fits_nothing_and_is_not_written(password: bytes) -> None:
    assert not verify(make_verifier("SCRAM-SHA-256", b"x"), password)
    with pytest.raises(UnusablePasswordError, match="UTF-8"):
        make_verifier("SCRAM-SHA-256", password)


@pytest.mark.parametrize(
    "body",
    [
        f"0,c2FsdA==,{KEY},{KEY}",
        f"4096,c2FsdA==,{KEY}",
        f"x,c2FsdA==,{KEY},{KEY}",
        f"99999999999,c2FsdA==,{KEY},{KEY}",
        f"4096,,{KEY},{KEY}",
        f"4096,c2FsdA==,{KEY},c2hvcnQ=",
        f"4096,!,{KEY},{KEY}",
    ],
)
def test_a_malformed_verifier_is_refused(body: str) -> None:
    with pytest.raises(VerifierError):
        require_usable("{SCRAM-SHA-256}" + body)
    with pytest.raises(VerifierError):
        keys_of("{SCRAM-SHA-256}" + body)


def test_iterations_are_bounded() -> None:
    with pytest.raises(VerifierError, match="above"):
        require_usable(f"{{SCRAM-SHA-256}}1000001,c2FsdA==,{KEY},{KEY}")


def test_an_encoding_has_no_meaning_here() -> None:
    with pytest.raises(VerifierError):
        require_usable(f"{{SCRAM-SHA-256.hex}}4096,c2FsdA==,{KEY},{KEY}")


def test_keys_of_another_scheme_are_none() -> None:
    with pytest.raises(VerifierError):
        keys_of("{PLAIN}x")


def test_keys_do_not_show() -> None:
    assert "pencil" not in repr(ScramKeys.derive("SCRAM-SHA-1", b"pencil", b"salt", 1))
    assert repr(ScramKeys.derive("SCRAM-SHA-1", b"pencil", b"salt", 1)) == "ScramKeys(algorithm='sha1', iterations=1)"
