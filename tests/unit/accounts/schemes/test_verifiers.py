from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.schemes.errors import UnusablePasswordError, VerifierError
from accounts.schemes.verifiers import (
    MAX_PASSWORD_OCTETS,
    MAX_VERIFIER_CHARACTERS,
    make_verifier,
    require_usable,
    scheme_of,
    verify,
)
from accounts.settings import WRITABLE_SCHEMES

PASSWORD = "pässwörd".encode()


@pytest.mark.parametrize("scheme", WRITABLE_SCHEMES)
def test_a_verifier_fits_its_password_and_no_other(scheme: str) -> None:
    verifier = make_verifier(scheme, PASSWORD)
    require_usable(verifier)
    assert verify(verifier, PASSWORD)
    assert not verify(verifier, b"password")


@pytest.mark.parametrize("scheme", sorted(set(WRITABLE_SCHEMES) - {"SHA", "PLAIN", "CLEARTEXT"}))
def test_a_salt_comes_from_the_given_source(scheme: str) -> None:
    def octets(count: int) -> bytes:
        return b"\x07" * count

    assert make_verifier(scheme, PASSWORD, octets) == make_verifier(scheme, PASSWORD, octets)
    assert make_verifier(scheme, PASSWORD, octets) != make_verifier(scheme, PASSWORD)


@pytest.mark.parametrize(
    ("password", "message"),
    [(b"", "empty"), (b"x" * (MAX_PASSWORD_OCTETS + 1), "longer"), (b"a\0b", "NUL")],
)
def test_no_verifier_is_made_of_an_unusable_password(password: bytes, message: str) -> None:
    with pytest.raises(UnusablePasswordError, match=message):
        make_verifier("SSHA", password)


@pytest.mark.parametrize("password", [b"", b"a\0b", b"x" * (MAX_PASSWORD_OCTETS + 1)])
def test_an_unusable_password_fits_nothing(password: bytes) -> None:
    assert not verify("{PLAIN}a", password)


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        ("secretword", "expected"),
        ("{}secretword", "expected"),
        ("{PLAIN}secret word", "expected"),
        ("{PLAIN}" + "x" * MAX_VERIFIER_CHARACTERS, "expected"),
        ("{CRAM-MD5}secretword", "unknown password scheme CRAM-MD5"),
        ("{SSHA}secretword", "malformed SSHA"),
        ("{ARGON2ID}secretword", "malformed ARGON2ID"),
    ],
)
def test_a_verifier_that_cannot_be_used_is_told_without_being_shown(verifier: str, message: str) -> None:
    with pytest.raises(VerifierError, match=message) as caught:
        verify(verifier, b"x")
    assert "secret" not in str(caught.value)


def test_scheme_names_ignore_case_and_encoding() -> None:
    assert scheme_of("{sha256.hex}00") == "SHA256"


@given(st.text(max_size=80), st.sampled_from(["SSHA", "SHA512-CRYPT", "SCRAM-SHA-256", "PLAIN", "BLF-CRYPT", "CRYPT"]))
def test_no_verifier_does_more_than_raise(body: str, scheme: str) -> None:
    for text in (body, f"{{{scheme}}}{body}", f"{{{scheme}.hex}}{body}"):
        try:
            require_usable(text)
        except VerifierError:
            continue
        assert text.isascii()
