from __future__ import annotations

import base64
import hashlib

import pytest

from accounts.schemes.digests import decode_plain, encode_plain
from accounts.schemes.errors import VerifierError
from accounts.schemes.verifiers import require_usable, verify

# What Dovecot's "doveadm pw" and OpenLDAP's slappasswd write; the digest of "secret" with the salt "salt".
SALTED = hashlib.sha1(b"secretsalt").digest() + b"salt"


@pytest.mark.parametrize(
    "verifier",
    [
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SHA.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
        f"{{SHA256}}{base64.b64encode(hashlib.sha256(b'secret').digest()).decode()}",
        f"{{SHA512.hex}}{hashlib.sha512(b'secret').hexdigest()}",
        f"{{SSHA}}{base64.b64encode(SALTED).decode()}",
        f"{{SSHA.hex}}{SALTED.hex()}",
        "{PLAIN}secret",
        "{CLEARTEXT}secret",
        "{PLAIN.b64}c2VjcmV0",
        "{PLAIN.base64}c2VjcmV0",
        "{plain.hex}736563726574",
    ],
)
def test_verifiers_of_other_servers_are_understood(verifier: str) -> None:
    assert verify(verifier, b"secret")
    assert not verify(verifier, b"Secret")


@pytest.mark.parametrize(
    "verifier",
    [
        "{SHA}c2hvcnQ=",
        f"{{SHA}}{base64.b64encode(SALTED).decode()}",
        "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SSHA.hex}zz",
        "{SHA.b32}AAAA",
    ],
)
def test_a_digest_of_another_length_or_encoding_is_refused(verifier: str) -> None:
    with pytest.raises(VerifierError):
        require_usable(verifier)


def test_plain_holds_any_octets() -> None:
    octets = bytes(range(256))
    assert decode_plain(encode_plain(octets)) == octets
    assert verify(encode_plain(b"a: b\xff"), b"a: b\xff")


def test_plain_may_be_written_by_hand() -> None:
    assert decode_plain("{Plain}tanstaaf") == b"tanstaaf"


@pytest.mark.parametrize("text", ["tanstaaf", "{PLAIN}", "{SSHA}tanstaaf", ""])
def test_other_text_is_not_plain(text: str) -> None:
    with pytest.raises(ValueError, match="not PLAIN"):
        decode_plain(text)
