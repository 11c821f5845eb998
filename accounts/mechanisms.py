"""Which SASL mechanisms a site offers, and what each needs to begin."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from accounts.credentials import Credentials
from accounts.requests import SaslBegin
from accounts.sasl.external import ExternalConversation
from accounts.sasl.passwords import LoginConversation, PlainConversation
from accounts.sasl.scram import Binding, ScramConversation
from accounts.sasl.steps import Conversation
from accounts.schemes.scram_keys import ALGORITHMS, DEFAULT_ITERATIONS, SALT_OCTETS, ScramKeys
from accounts.settings import AuthSettings

CLEARTEXT_MECHANISMS: Final = frozenset({"PLAIN", "LOGIN"})
"""Those that send a password as it is."""

PLUS: Final = "-PLUS"
_NONCE_OCTETS: Final = 18

KeysLookup = Callable[[bytes, str], ScramKeys]
"""From a login name and a SCRAM scheme to keys, ``DecoyKeys`` for nobody."""


def offered_mechanisms(settings: AuthSettings, *, certificates: bool) -> tuple[str, ...]:
    """The mechanisms to announce, in the order of the settings, without regard to TLS.

    SCRAM only where ``[auth] schemes`` lists its verifier, since nobody has one elsewhere; EXTERNAL only where a
    certificate is mapped.
    """

    def works(mechanism: str) -> bool:
        scheme = mechanism.removesuffix(PLUS)
        if scheme in ALGORITHMS:
            return scheme in settings.schemes
        return certificates or mechanism != "EXTERNAL"

    return tuple(mechanism for mechanism in settings.mechanisms if works(mechanism))


class DecoyKeys:
    """Keys for users who have none, so that they cannot be told from those who have.

    The same name gets the same salt as long as this process lives, and no password fits. After a restart the salts are
    others, which tells somebody who asked before and after, since users' own salts stay. A key that outlives the
    process would be one more secret to make, guard and move with a site, for names most of which are mail addresses.
    """

    def __init__(self, random_octets: Callable[[int], bytes]) -> None:
        self._key = random_octets(32)

    def of(self, name: bytes, scheme: str) -> ScramKeys:
        """Keys that fit no password."""
        algorithm = ALGORITHMS[scheme]
        salt = hmac.digest(self._key, b"salt\0" + scheme.encode() + b"\0" + name, "sha256")[:SALT_OCTETS]
        nothing = hmac.digest(self._key, b"key\0" + name, algorithm)
        return ScramKeys(algorithm, DEFAULT_ITERATIONS, salt, nothing, nothing)


@dataclass(frozen=True, slots=True)
class Opening:
    """What the mechanisms get to work with."""

    request: SaslBegin
    offered: tuple[str, ...]
    credentials: Credentials
    keys: KeysLookup
    random_octets: Callable[[int], bytes]


def open_conversation(opening: Opening) -> Conversation:
    """Make the conversation of an offered mechanism, not yet begun.

    Raises:
        SettingsError: EXTERNAL's mapping of certificates cannot be read now.
    """
    return _OPENERS[opening.request.mechanism](opening)


def _external(opening: Opening) -> Conversation:
    request = opening.request
    # Nobody without TLS, whatever the request says.
    names = request.certificate_names if request.peer.tls else ()
    return ExternalConversation(opening.credentials.certificates.user_of(names))


def _scram(opening: Opening) -> Conversation:
    request = opening.request
    scheme = request.mechanism.removesuffix(PLUS)
    bindable = request.binding.tls_exporter is not None or request.binding.tls_server_end_point is not None
    binding = Binding(
        request.binding,
        required=request.mechanism.endswith(PLUS),
        offered=bindable and any(mechanism.endswith(PLUS) for mechanism in opening.offered),
    )
    nonce = base64.b64encode(opening.random_octets(_NONCE_OCTETS))
    return ScramConversation(lambda name: opening.keys(name, scheme), binding, nonce)


_OPENERS: Final[Mapping[str, Callable[[Opening], Conversation]]] = {
    "PLAIN": lambda _opening: PlainConversation(),
    "LOGIN": lambda _opening: LoginConversation(),
    "EXTERNAL": _external,
    **{f"{scheme}{suffix}": _scram for scheme in ALGORITHMS for suffix in ("", PLUS)},
}
