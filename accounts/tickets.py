"""Sealed tickets: how the authenticator convinces the spawner that a login was right.

They travel through a worker that neither of them trusts. A ticket is an HMAC-SHA256 (32 octets) followed by the JSON
text it covers. The worker can carry it, not make one, not change one, and not use one late. That it is used once is the
spawner's part: it remembers nonces until they expire.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spool.names import UserName

KEY_OCTETS: Final = 32
NONCE_OCTETS: Final = 16
LIFETIME_SECONDS: Final = 30.0
MAX_TICKET_OCTETS: Final = 8192  # a path is at most PATH_MAX (4096) octets; escaped in JSON it seldom doubles
_MAC_OCTETS: Final = 32
_PURPOSE: Final = b"mailspool login ticket 1\0"


class TicketError(Exception):
    """A ticket that is not the authenticator's, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may be served: the exact record of the directory at the time of the login.

    ``expires`` is in seconds of the clock that authenticator and spawner share.
    """

    user: UserName
    uid: int
    gid: int
    home: Path
    expires: float
    nonce: bytes = field(repr=False)


def seal(key: bytes | bytearray, ticket: Ticket) -> bytes:
    """Seal a ticket with the ``KEY_OCTETS`` octets of key that authenticator and spawner got from the supervisor."""
    payload = json.dumps(
        [ticket.user.text, ticket.uid, ticket.gid, str(ticket.home), ticket.expires, ticket.nonce.hex()]
    ).encode()
    return _mac(key, payload) + payload


def open_ticket(key: bytes | bytearray, octets: bytes, now: float) -> Ticket:
    """Check the seal and the time of a ticket.

    Raises:
        TicketError: the seal is broken, or the ticket is expired or lies further ahead than any we make.
    """
    if len(octets) > MAX_TICKET_OCTETS:
        raise TicketError("ticket too long")
    mac, payload = octets[:_MAC_OCTETS], octets[_MAC_OCTETS:]
    if not hmac.compare_digest(mac, _mac(key, payload)):
        raise TicketError("ticket not sealed by the authenticator")
    # From here on the text is our own, so its form needs no second check.
    user, uid, gid, home, expires, nonce = json.loads(payload)
    if not (math.isfinite(expires) and now <= expires <= now + LIFETIME_SECONDS):
        raise TicketError("ticket expired")
    return Ticket(UserName(user), uid, gid, Path(home), expires, bytes.fromhex(nonce))


def _mac(key: bytes | bytearray, payload: bytes) -> bytes:
    if len(key) != KEY_OCTETS:
        raise ValueError(f"a ticket key has {KEY_OCTETS} octets")
    return hmac.digest(key, _PURPOSE + payload, hashlib.sha256)
