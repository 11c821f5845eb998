"""Makes and checks verifiers of every scheme: the one door to this package."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from accounts.schemes import crypts, digests, scram_keys
from accounts.schemes.errors import UnusablePasswordError, VerifierError

MAX_PASSWORD_OCTETS: Final = 1024  # far above any pass phrase, far below what makes hashing a burden
MAX_VERIFIER_CHARACTERS: Final = 4096
_FORM: Final = re.compile(r"\{([A-Za-z0-9-]{1,32})(?:\.([A-Za-z0-9]{1,8}))?\}([!-~]*)")

Test: TypeAlias = Callable[[bytes], bool]
"""Says whether a password fits; made from a verifier that was checked."""

RandomOctets: TypeAlias = Callable[[int], bytes]

_PARSERS: Final[Mapping[str, Callable[[str, str | None], Test]]] = {
    **crypts.PARSERS,
    **digests.PARSERS,
    **scram_keys.PARSERS,
}
_MAKERS: Final[Mapping[str, Callable[[bytes, RandomOctets], str]]] = {
    **crypts.MAKERS,
    **digests.MAKERS,
    **scram_keys.MAKERS,
}


def make_verifier(scheme: str, password: bytes, random_octets: RandomOctets = os.urandom) -> str:
    """Make a verifier of one of ``accounts.settings.WRITABLE_SCHEMES``; blocks as long as the scheme is meant to take.

    Raises:
        UnusablePasswordError: empty, too long, with a NUL, or not fit for this scheme.
    """
    if not password:
        raise UnusablePasswordError("the password is empty")
    if len(password) > MAX_PASSWORD_OCTETS:
        raise UnusablePasswordError(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
    if b"\0" in password:
        raise UnusablePasswordError("the password holds a NUL octet")
    return _MAKERS[scheme](password, random_octets)


def verify(verifier: str, password: bytes) -> bool:
    """Whether a password fits a verifier; blocks as long as the scheme is meant to take.

    Raises:
        VerifierError: the verifier cannot be used.
    """
    fits = _parse(verifier)
    # No verifier is made of such a password, and crypt(3) would stop at the NUL.
    if not password or len(password) > MAX_PASSWORD_OCTETS or b"\0" in password:
        return False
    return fits(password)


def scheme_of(verifier: str) -> str:
    """The scheme's name in upper case, without its encoding.

    Raises:
        VerifierError: the text does not begin like a verifier.
    """
    return _split(verifier)[0]


def require_usable(verifier: str) -> None:
    """Check a verifier's form and cost without computing anything.

    Raises:
        VerifierError: it cannot be used.
    """
    _parse(verifier)


def _split(verifier: str) -> tuple[str, str | None, str]:
    if len(verifier) > MAX_VERIFIER_CHARACTERS or (match := _FORM.fullmatch(verifier)) is None:
        raise VerifierError("expected {SCHEME} and printable ASCII characters without spaces")
    scheme, encoding, body = match.groups()
    return scheme.upper(), encoding.lower() if encoding else None, body


def _parse(verifier: str) -> Test:
    scheme, encoding, body = _split(verifier)
    parse = _PARSERS.get(scheme)
    if parse is None:
        raise VerifierError(f"unknown password scheme {scheme}")
    try:
        return parse(body, encoding)
    except ValueError:
        raise VerifierError(f"malformed {scheme} verifier") from None
