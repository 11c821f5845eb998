"""SCRAM, server side (RFC 5802, RFC 7677), with channel binding (RFC 5929, RFC 9266).

    client-first   gs2-header n=NAME,r=CNONCE
    server-first   r=CNONCE SNONCE,s=SALT,i=ITERATIONS
    client-final   c=GS2-HEADER+BINDING,r=NONCE,p=PROOF
    server-final   v=SIGNATURE, sent as a last challenge that the client answers with an empty response

A client that knows the password convinces us without sending it, and the signature shows that we know it too. Somebody
whom nobody knows gets the same server-first message as a user would, and fails at the proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from passlib.utils import saslprep

from accounts.requests import Challenge, ChannelBinding
from accounts.sasl.steps import Failed, Proven, SaslStep
from accounts.schemes.scram_keys import ScramKeys

_NONCE: Final = rb"[!-+\--~]{1,512}"  # printable but the comma
# The mandatory-extension attribute m= and anything else we do not know in front of n= fails to match, as it must.
_CLIENT_FIRST: Final = re.compile(
    rb"(?P<header>(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]{1,64})),(?:a=(?P<authorization>[^,\0]+))?,)"
    rb"(?P<bare>n=(?P<name>[^,\0]+),r=(?P<nonce>" + _NONCE + rb")(?:,[A-Za-z]=[^\0]*)?)"
)
_CLIENT_FINAL: Final = re.compile(
    rb"(?P<without_proof>c=(?P<header>[A-Za-z0-9+/=]+),r=(?P<nonce>" + _NONCE + rb")(?:,[A-Za-z]=[^\0]*)?)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_ESCAPE: Final = re.compile(rb"=(2C|3D)?")
_ESCAPED: Final = {b"2C": b",", b"3D": b"="}


@dataclass(frozen=True, slots=True)
class Binding:
    """What this connection and this mechanism make of channel binding.

    ``required`` in the -PLUS mechanisms; ``offered`` when any -PLUS mechanism was: a client that could bind but saw no
    offer has then met somebody who removed it.
    """

    channel: ChannelBinding
    required: bool
    offered: bool

    def of(self, kind: bytes) -> bytes | None:
        """The connection's data of this type (RFC 5929, RFC 9266); None where it has none."""
        match kind:
            case b"tls-exporter":
                return self.channel.tls_exporter
            case b"tls-server-end-point":
                return self.channel.tls_server_end_point
            case _:
                return None


class ScramConversation:
    """One SCRAM exchange.

    Args:
        keys_of: from a login name to its keys; it gives keys that fit no password, always the same ones, for a name
            that nobody may log in with. What it raises ends the conversation.
        binding: the connection's channel binding.
        server_nonce: at least 18 random octets in printable form, without a comma.
    """

    def __init__(self, keys_of: Callable[[bytes], ScramKeys], binding: Binding, server_nonce: bytes) -> None:
        self._keys_of = keys_of
        self._binding = binding
        self._server_nonce = server_nonce
        self._receive: Callable[[bytes], SaslStep] = self._client_first
        self._name = b""

    def begin(self, initial: bytes | None) -> SaslStep:
        """Ask for the client's first message if it did not come along."""
        return Challenge(b"") if initial is None else self._receive(initial)

    def respond(self, response: bytes) -> SaslStep:
        """Take the client's next message."""
        return self._receive(response)

    def _client_first(self, message: bytes) -> SaslStep:
        match = _CLIENT_FIRST.fullmatch(message)
        if match is None:
            return Failed()
        try:
            self._name = _prepared_name(match["name"])
            authorization = self._name if match["authorization"] is None else _prepared_name(match["authorization"])
        except ValueError:
            return Failed()
        if authorization != self._name:
            return Failed(self._name)
        binding_data = self._binding_data(match["flag"], match["binding"])
        if binding_data is None:
            return Failed(self._name)
        keys = self._keys_of(self._name)
        nonce = match["nonce"] + self._server_nonce
        server_first = b"r=%b,s=%b,i=%d" % (nonce, base64.b64encode(keys.salt), keys.iterations)
        expected_header = match["header"] + binding_data
        bare = match["bare"]
        self._receive = lambda final: self._client_final(final, keys, nonce, expected_header, (bare, server_first))
        return Challenge(server_first)

    def _binding_data(self, flag: bytes, kind: bytes | None) -> bytes | None:
        """What must follow the header in ``c=``, maybe nothing; None if the client's flag cannot be accepted."""
        if kind is not None:
            return self._binding.of(kind) if self._binding.required else None
        if self._binding.required or (flag == b"y" and self._binding.offered):
            return None
        return b""

    def _client_final(
        self, message: bytes, keys: ScramKeys, nonce: bytes, expected_header: bytes, before: tuple[bytes, bytes]
    ) -> SaslStep:
        match = _CLIENT_FINAL.fullmatch(message)
        if match is None:
            return Failed(self._name)
        try:
            header = base64.b64decode(match["header"], validate=True)
            proof = base64.b64decode(match["proof"], validate=True)
        except binascii.Error:
            return Failed(self._name)
        auth_message = b",".join((*before, match["without_proof"]))
        bound = hmac.compare_digest(header, expected_header) and hmac.compare_digest(match["nonce"], nonce)
        if not bound or not _proof_fits(keys, auth_message, proof):
            return Failed(self._name)
        signature = hmac.digest(keys.server_key, auth_message, keys.algorithm)
        self._receive = self._acknowledged
        return Challenge(b"v=" + base64.b64encode(signature))

    def _acknowledged(self, message: bytes) -> SaslStep:
        return Failed(self._name) if message else Proven(self._name)


def _proof_fits(keys: ScramKeys, auth_message: bytes, proof: bytes) -> bool:
    signature = hmac.digest(keys.stored_key, auth_message, keys.algorithm)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.new(keys.algorithm, client_key).digest(), keys.stored_key)


def _prepared_name(escaped: bytes) -> bytes:
    """Undo the escapes of a saslname and prepare it (RFC 5802 section 5.1).

    Raises:
        ValueError: a wrong escape, not UTF-8, prohibited by SASLprep, or empty after it.
    """

    def unescape(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            raise ValueError("escape")
        return _ESCAPED[match[1]]

    prepared = str(saslprep(_ESCAPE.sub(unescape, escaped).decode("utf-8"))).encode("utf-8")
    if not prepared:
        raise ValueError("empty")
    return prepared
