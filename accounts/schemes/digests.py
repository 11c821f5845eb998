"""Schemes that are one digest, with or without salt, or no digest at all.

They are here so that other servers' users can be taken over; whoever has the file can guess their passwords fast. A
name may carry the encoding of its octets, as in ``{SHA256.HEX}``; without one, digests are base64 and passwords plain.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from accounts.schemes.errors import VerifierError

_SALT_OCTETS: Final = 16
_ALGORITHMS: Final = {"SHA": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


def _decode_base64(body: str) -> bytes:
    return base64.b64decode(body, validate=True)


_DECODERS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "b64": _decode_base64,
    "base64": _decode_base64,
    "hex": bytes.fromhex,
}


def _decode(body: str, encoding: str) -> bytes:
    decode = _DECODERS.get(encoding)
    if decode is None:
        raise VerifierError(f"unknown encoding of a verifier: expected one of {', '.join(_DECODERS)}")
    return decode(body)


def _digest_parser(algorithm: str, *, salted: bool) -> Callable[[str, str | None], Callable[[bytes], bool]]:
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size

    def parse(body: str, encoding: str | None) -> Callable[[bytes], bool]:
        octets = _decode(body, encoding or "b64")
        expected, salt = octets[:size], octets[size:]
        if len(expected) != size or bool(salt) != salted:
            raise ValueError("length")
        return lambda password: hmac.compare_digest(hashlib.new(algorithm, password + salt).digest(), expected)

    return parse


def _digest_maker(scheme: str, algorithm: str, *, salted: bool) -> Callable[[bytes, Callable[[int], bytes]], str]:
    def make(password: bytes, random_octets: Callable[[int], bytes]) -> str:
        salt = random_octets(_SALT_OCTETS) if salted else b""
        octets = hashlib.new(algorithm, password + salt).digest() + salt
        return f"{{{scheme}}}{base64.b64encode(octets).decode('ascii')}"

    return make


def encode_plain(octets: bytes) -> str:
    """``{PLAIN.b64}``: encoded, so that spaces, colons and octets that are no ASCII may stand in it."""
    return f"{{PLAIN.b64}}{base64.b64encode(octets).decode('ascii')}"


def decode_plain(verifier: str) -> bytes:
    """What ``{PLAIN}``, or ``{PLAIN.b64}`` and its like, holds.

    Raises:
        ValueError: it is neither.
        VerifierError: it names an unknown encoding.
    """
    scheme, _, body = verifier.removeprefix("{").partition("}")
    name, _, encoding = scheme.partition(".")
    if name.upper() != "PLAIN" or not body:
        raise ValueError("not PLAIN")
    return _plain_octets(body, encoding.lower() or None)


def _plain_octets(body: str, encoding: str | None) -> bytes:
    return body.encode("utf-8") if encoding is None else _decode(body, encoding)


def _parse_plain(body: str, encoding: str | None) -> Callable[[bytes], bool]:
    expected = _plain_octets(body, encoding)
    return lambda password: hmac.compare_digest(password, expected)


def _make_plain(password: bytes, _random_octets: Callable[[int], bytes]) -> str:
    return encode_plain(password)


PARSERS: Final[Mapping[str, Callable[[str, str | None], Callable[[bytes], bool]]]] = {
    **{name: _digest_parser(algorithm, salted=False) for name, algorithm in _ALGORITHMS.items()},
    **{f"S{name}": _digest_parser(algorithm, salted=True) for name, algorithm in _ALGORITHMS.items()},
    "PLAIN": _parse_plain,
    "CLEARTEXT": _parse_plain,
}

MAKERS: Final[Mapping[str, Callable[[bytes, Callable[[int], bytes]], str]]] = {
    "SHA": _digest_maker("SHA", "sha1", salted=False),
    **{f"S{name}": _digest_maker(f"S{name}", algorithm, salted=True) for name, algorithm in _ALGORITHMS.items()},
    "PLAIN": _make_plain,
    "CLEARTEXT": _make_plain,
}
