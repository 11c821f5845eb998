"""SCRAM verifiers (RFC 5802 section 3): iterations, salt, StoredKey and ServerKey, in Dovecot's notation.

``{SCRAM-SHA-256}4096,SALT,STOREDKEY,SERVERKEY``, each in base64. SaltedPassword is never kept: with it, whoever reads
the file could log in without knowing the password.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from passlib.utils import saslprep

from accounts.schemes.errors import UnusablePasswordError, VerifierError

DEFAULT_ITERATIONS: Final = 4096
"""The least of RFC 7677 section 4, and what Dovecot and others write, so that unknown users cannot be told by it."""

MAX_ITERATIONS: Final = 1_000_000
SALT_OCTETS: Final = 16
_MAX_SALT_OCTETS: Final = 256

ALGORITHMS: Final[Mapping[str, str]] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
"""The digest of each mechanism; the -PLUS forms share their verifiers with these."""


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What the server knows of one password under one SCRAM mechanism."""

    algorithm: str
    iterations: int
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def derive(cls, scheme: str, prepared: bytes, salt: bytes, iterations: int) -> ScramKeys:
        """Compute the keys of a prepared password (``prepare``); blocks for the iterations."""
        algorithm = ALGORITHMS[scheme]
        salted = hashlib.pbkdf2_hmac(algorithm, prepared, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        return cls(
            algorithm,
            iterations,
            salt,
            hashlib.new(algorithm, client_key).digest(),
            hmac.digest(salted, b"Server Key", algorithm),
        )

    @classmethod
    def parse(cls, scheme: str, body: str) -> ScramKeys:
        """Read what follows ``{SCHEME}``.

        Raises:
            ValueError: it is malformed.
            VerifierError: it asks for more iterations than we allow.
        """
        iterations, salt, stored_key, server_key = body.split(",")
        if not (iterations.isascii() and iterations.isdigit()) or len(iterations) > 10 or int(iterations) < 1:
            raise ValueError("iterations")
        if int(iterations) > MAX_ITERATIONS:
            raise VerifierError(f"a verifier's iterations are above {MAX_ITERATIONS}")
        keys = cls(
            ALGORITHMS[scheme],
            int(iterations),
            *(base64.b64decode(part, validate=True) for part in (salt, stored_key, server_key)),
        )
        size = hashlib.new(keys.algorithm, usedforsecurity=False).digest_size
        if not (1 <= len(keys.salt) <= _MAX_SALT_OCTETS and len(keys.stored_key) == len(keys.server_key) == size):
            raise ValueError("length")
        return keys

    def text(self) -> str:
        """What follows ``{SCHEME}``."""
        encoded = (base64.b64encode(octets).decode("ascii") for octets in (self.salt, self.stored_key, self.server_key))
        return ",".join((str(self.iterations), *encoded))


def keys_of(verifier: str) -> ScramKeys:
    """The keys in a whole SCRAM verifier.

    Raises:
        VerifierError: it is not one, or cannot be used.
    """
    scheme, _, body = verifier[1:].partition("}")
    try:
        return ScramKeys.parse(scheme.upper(), body)
    except (KeyError, ValueError):
        raise VerifierError("malformed SCRAM verifier") from None


def prepare(password: bytes) -> bytes:
    """SASLprep a password (RFC 4013, RFC 5802 section 2.2).

    Raises:
        ValueError: it is not UTF-8, or holds what SASLprep prohibits.
    """
    return str(saslprep(password.decode("utf-8"))).encode("utf-8")


def _parse(scheme: str, body: str, encoding: str | None) -> Callable[[bytes], bool]:
    if encoding is not None:
        raise ValueError("encoding")
    keys = ScramKeys.parse(scheme, body)

    def fits(password: bytes) -> bool:
        try:
            prepared = prepare(password)
        except ValueError:
            return False
        derived = ScramKeys.derive(scheme, prepared, keys.salt, keys.iterations)
        return hmac.compare_digest(derived.stored_key, keys.stored_key)

    return fits


def _make(scheme: str, password: bytes, random_octets: Callable[[int], bytes]) -> str:
    try:
        prepared = prepare(password)
    except ValueError:
        raise UnusablePasswordError(f"{scheme} needs a password in UTF-8 without control characters") from None
    keys = ScramKeys.derive(scheme, prepared, random_octets(SALT_OCTETS), DEFAULT_ITERATIONS)
    return f"{{{scheme}}}{keys.text()}"


PARSERS: Final[Mapping[str, Callable[[str, str | None], Callable[[bytes], bool]]]] = {
    scheme: functools.partial(_parse, scheme) for scheme in ALGORITHMS
}

MAKERS: Final[Mapping[str, Callable[[bytes, Callable[[int], bytes]], str]]] = {
    scheme: functools.partial(_make, scheme) for scheme in ALGORITHMS
}
