"""What a listener asks the authenticator, and what it answers.

These are the values that cross the process boundary between a worker, which talks to the network and reads no secret,
and the authenticator, which alone reads passwords and secrets. ``accounts.wire`` turns them into octets and back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from spool.names import UserName


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection. ``address`` is an IPv4 or IPv6 address as text, ``unix`` for a local socket."""

    address: str
    port: int
    tls: bool = False
    service: str = "pop3"


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """Channel binding data by type for SCRAM-PLUS (RFC 5929, RFC 9266), as far as the connection has them."""

    tls_exporter: bytes | None = field(default=None, repr=False)
    tls_server_end_point: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PasswordRequest:
    """A name and a password in the clear."""

    peer: Peer
    name: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApopRequest:
    """An APOP digest over ``timestamp`` (RFC 1939 section 7)."""

    peer: Peer
    name: bytes
    digest: bytes
    timestamp: bytes


@dataclass(frozen=True, slots=True)
class RpopRequest:
    """RPOP: ``hosts`` are the peer's names whose forward lookup contains its address, lower case, maybe none."""

    peer: Peer
    name: bytes
    remote_user: bytes
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaslBegin:
    """Start conversation ``conversation`` (chosen by the worker, unused so far).

    ``certificate_names`` are the names in the client's verified certificate as ``type:value`` (``email:``, ``dns:``,
    ``subject:`` with the RFC 4514 string, ``sha256:`` with the hex fingerprint); empty without one.
    """

    peer: Peer
    conversation: int
    mechanism: str
    initial: bytes | None = field(repr=False)
    binding: ChannelBinding = ChannelBinding()
    certificate_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SaslContinue:
    """The client's next response in a conversation."""

    conversation: int
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslAbandon:
    """The client cancelled or went away. Has no answer."""

    conversation: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A granted session is over: frees its place in ``connections_per_user``. Has no answer.

    ``opened`` is false when the maildrop could not be opened: then there was no session that LOGIN-DELAY counts from.
    """

    user: UserName
    opened: bool


AuthRequest: TypeAlias = (
    PasswordRequest | ApopRequest | RpopRequest | SaslBegin | SaslContinue | SaslAbandon | SessionEnded
)


class RefusalReason(enum.Enum):
    """Why a login was not granted."""

    CREDENTIALS = "credentials"
    """Unknown user, wrong password, no such mechanism for the user: one reason, so that nobody can enumerate."""
    THROTTLED = "throttled"
    """Too many failures from this address or for this user."""
    TOO_MANY_SESSIONS = "too-many-sessions"
    LOGIN_DELAY = "login-delay"
    TEMPORARY = "temporary"
    """The directory, a checker or a file is not available now."""
    PERMANENT = "permanent"
    """Needs the operator's hand: the account is refused by uid, or misconfigured."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The login succeeded. ``ticket`` convinces the spawner that it did (many-uid sites); empty elsewhere."""

    user: UserName
    uid: int
    gid: int
    home: Path
    ticket: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The login failed. The listener answers after ``delay_seconds``, counted from the answer's arrival.

    ``user`` is for its log: whom the client claimed to be, whether or not there is such a user; None for a name that is
    no user name, or where the mechanism did not get so far as to tell.
    """

    reason: RefusalReason
    delay_seconds: float = 0.0
    user: UserName | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """A SASL challenge, not base64-coded, for the client to answer."""

    data: bytes = field(repr=False)


AuthAnswer: TypeAlias = Granted | Refused | Challenge


@dataclass(frozen=True, slots=True)
class Offer:
    """What the authenticator can check now; sent to every worker at its start and after each change.

    ``mechanisms`` are SASL names in order of preference, without regard to TLS; ``apop`` is true when somebody has an
    APOP secret.
    """

    mechanisms: tuple[str, ...]
    apop: bool
