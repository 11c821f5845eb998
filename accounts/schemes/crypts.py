"""Schemes made to be slow, in the notation of crypt(3): argon2, bcrypt, SHA-crypt, and the old MD5 and DES ones.

The costs a verifier asks for are bounded before anything is computed: a line somebody slipped into the file must not
take a hasher, or the machine's memory, away.
"""

from __future__ import annotations

import base64
import functools
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from passlib.hash import argon2, bcrypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from accounts.schemes import libcrypt
from accounts.schemes.errors import UnusablePasswordError, VerifierError

BCRYPT_OCTETS_MAX: Final = 72  # what bcrypt looks at
_ARGON2_COST: Final = {"memory_cost": 19_456, "rounds": 2, "parallelism": 1}  # OWASP's password storage advice
_BCRYPT_ROUNDS: Final = 10
_SHA_CRYPT_ROUNDS: Final = 50_000
_SALT_ALPHABET: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_STANDARD_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

_SYSTEM_CRYPT: Final = libcrypt.load()


@dataclass(frozen=True, slots=True)
class _Form:
    """How a verifier looks. Each named group is a cost, at most what ``costs_max`` says for its name."""

    pattern: re.Pattern[str]
    handler: Any
    costs_max: Mapping[str, int]
    system_crypt: bool
    octets_max: int | None = None


_ARGON2_MAX: Final = {"memory_kib": 262_144, "passes": 20, "lanes": 16}
_BASE64: Final = r"[A-Za-z0-9+/]{11,128}"
_ARGON2_TAIL: Final = (
    rf"\$v=19\$m=(?P<memory_kib>\d{{1,8}}),t=(?P<passes>\d{{1,8}}),p=(?P<lanes>\d{{1,8}})\${_BASE64}\${_BASE64}"
)
_SHA_SALT: Final = r"\$(?:rounds=(?P<rounds>\d{4,9})\$)?[./0-9A-Za-z]{1,16}\$"

_FORMS: Final[Mapping[str, _Form]] = {
    "ARGON2ID": _Form(re.compile(rf"\$argon2id{_ARGON2_TAIL}"), argon2, _ARGON2_MAX, system_crypt=False),
    "ARGON2I": _Form(re.compile(rf"\$argon2i{_ARGON2_TAIL}"), argon2, _ARGON2_MAX, system_crypt=False),
    "BLF-CRYPT": _Form(
        re.compile(r"\$2[aby]\$(?P<log_rounds>\d\d)\$[./0-9A-Za-z]{53}"),
        bcrypt,
        {"log_rounds": 15},
        system_crypt=False,
        # crypt(3) cuts there without a word, so verifiers of longer passwords exist.
        octets_max=BCRYPT_OCTETS_MAX,
    ),
    "SHA512-CRYPT": _Form(
        re.compile(rf"\$6{_SHA_SALT}[./0-9A-Za-z]{{86}}"), sha512_crypt, {"rounds": 1_000_000}, system_crypt=True
    ),
    "SHA256-CRYPT": _Form(
        re.compile(rf"\$5{_SHA_SALT}[./0-9A-Za-z]{{43}}"), sha256_crypt, {"rounds": 1_000_000}, system_crypt=True
    ),
    "MD5-CRYPT": _Form(re.compile(r"\$1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}"), md5_crypt, {}, system_crypt=True),
    "DES-CRYPT": _Form(re.compile(r"[./0-9A-Za-z]{13}"), des_crypt, {}, system_crypt=True),
}


def _parse(form: _Form, body: str, encoding: str | None) -> Callable[[bytes], bool]:
    match = form.pattern.fullmatch(body)
    if match is None or encoding is not None:
        raise ValueError("form")
    for cost, digits in match.groupdict().items():
        if digits is not None and int(digits) > form.costs_max[cost]:
            raise VerifierError(f"a verifier's {cost} is above {form.costs_max[cost]}")
    return lambda password: _fits(form, body, password[: form.octets_max])


def _parse_any(body: str, encoding: str | None) -> Callable[[bytes], bool]:
    for form in _FORMS.values():
        if form.pattern.fullmatch(body):
            return _parse(form, body, encoding)
    raise ValueError("form")


def _fits(form: _Form, body: str, password: bytes) -> bool:
    if form.system_crypt and _SYSTEM_CRYPT is not None:
        computed = _SYSTEM_CRYPT(password, body.encode("ascii"))
        if computed is not None:
            return hmac.compare_digest(computed, body.encode("ascii"))
    try:
        return bool(form.handler.verify(password, body))
    except ValueError:
        raise VerifierError("a verifier's parameters are not possible") from None


# -- making them -------------------------------------------------------------------------------------------------------


def _make_argon2(kind: str, password: bytes, random_octets: Callable[[int], bytes]) -> str:
    return str(argon2.using(type=kind[6:], salt=random_octets(16), **_ARGON2_COST).hash(password))


def _make_bcrypt(_kind: str, password: bytes, random_octets: Callable[[int], bytes]) -> str:
    if len(password) > BCRYPT_OCTETS_MAX:
        raise UnusablePasswordError(f"BLF-CRYPT looks at the first {BCRYPT_OCTETS_MAX} octets only; this is longer")
    salt = (
        base64.b64encode(random_octets(16)).rstrip(b"=").translate(bytes.maketrans(_STANDARD_ALPHABET, _SALT_ALPHABET))
    )
    return str(bcrypt.using(ident="2y", rounds=_BCRYPT_ROUNDS, salt=salt.decode("ascii")).hash(password))


def _make_salted(kind: str, password: bytes, random_octets: Callable[[int], bytes]) -> str:
    identifier, salt_characters = _SALTED[kind]
    salt = bytes(_SALT_ALPHABET[octet & 63] for octet in random_octets(salt_characters)).decode("ascii")
    form = _FORMS[kind]
    costs = {"rounds": _SHA_CRYPT_ROUNDS} if form.costs_max else {}
    if _SYSTEM_CRYPT is not None:
        setting = f"${identifier}${''.join(f'{name}={cost}$' for name, cost in costs.items())}{salt}$"
        computed = _SYSTEM_CRYPT(password, setting.encode("ascii"))
        if computed is not None:
            return computed.decode("ascii")
    return str(form.handler.using(salt=salt, **costs).hash(password))


_SALTED: Final = {"SHA512-CRYPT": ("6", 16), "SHA256-CRYPT": ("5", 16), "MD5-CRYPT": ("1", 8)}


def _maker(
    kind: str, make: Callable[[str, bytes, Callable[[int], bytes]], str]
) -> Callable[[bytes, Callable[[int], bytes]], str]:
    return lambda password, random_octets: f"{{{kind}}}{make(kind, password, random_octets)}"


PARSERS: Final[Mapping[str, Callable[[str, str | None], Callable[[bytes], bool]]]] = {
    **{name: functools.partial(_parse, form) for name, form in _FORMS.items()},
    "CRYPT": _parse_any,
}

MAKERS: Final[Mapping[str, Callable[[bytes, Callable[[int], bytes]], str]]] = {
    "ARGON2ID": _maker("ARGON2ID", _make_argon2),
    "ARGON2I": _maker("ARGON2I", _make_argon2),
    "BLF-CRYPT": _maker("BLF-CRYPT", _make_bcrypt),
    **{kind: _maker(kind, _make_salted) for kind in _SALTED},
}
