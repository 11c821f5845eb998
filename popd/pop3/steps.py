"""What the session core asks of its shell, and what the shell reports back.

``Session.receive`` takes one line and returns steps, in order; the shell carries them out. A *reply* is octets to be
sent. A *request* is work that may take time: while one is out, the shell feeds no further line (pipelined ones wait in
the line buffer), and it ends by calling exactly one of the methods named in the request's docstring, which return steps
again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # its replies are made of steps
    from popd.pop3.listings import Listings

# -- replies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Octets to send as they are, in one write: a whole reply, CRLF included."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection once everything before it has been flushed."""


# -- requests: authorization ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """USER and PASS. Ends with ``logged_in``, or ``refused``."""

    name: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApopLogin:
    """APOP (RFC 1939 section 7). ``timestamp`` is the greeting's, angle brackets included. Ends as PasswordLogin."""

    name: bytes
    digest: bytes
    timestamp: bytes


@dataclass(frozen=True, slots=True)
class RpopLogin:
    """USER and RPOP (RFC 1225): ``remote_user`` is the account on the client's host. Ends as PasswordLogin."""

    name: bytes
    remote_user: bytes


@dataclass(frozen=True, slots=True)
class SaslStart:
    """AUTH (RFC 5034). ``initial`` is decoded, None if the client sent none.

    Ends with ``sasl_challenge``, ``logged_in`` or ``refused``.
    """

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """The client's decoded answer to a challenge. Ends as SaslStart."""

    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaslCancel:
    """The client gave up (``*``), sent bad base64 or timed out: forget the conversation.

    Needs no answer: a reply or ``Close`` follows it.
    """


@dataclass(frozen=True, slots=True)
class StartTls:
    """Send the +OK before it, discard unread input, start TLS (RFC 2595 section 4). Ends with ``tls_started``.

    A handshake that fails is the end of the connection, and is not reported.
    """


# -- requests: transaction --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendMessage:
    """RETR (``body_lines`` None) or TOP: send the message through ``popd.pop3.sending.MessageEncoder``.

    Ends with ``message_sent``, or, if nothing of it was sent yet, ``refused``. When reading fails in the middle the
    shell drops the connection: a half message must not look whole.
    """

    number: int
    body_lines: int | None


@dataclass(frozen=True, slots=True)
class ListHeaders:
    """XTND XLST: read the first field of this name of each message (``popd.pop3.headers.field_value``).

    Ends with ``headers_listed``, which takes pairs of message number and value, or ``refused``.
    """

    field_name: bytes
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class SubmitMessage:
    """XTND XMIT: hand the message (LF line ends) to the configured command. Ends with ``submitted``, or ``refused``."""

    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """QUIT in TRANSACTION: the UPDATE state. Ends with ``committed``, or ``refused``; then the session closes.

    Sent with empty sets too, so that the shell can release the lock before the reply; not sent at all when the snapshot
    was ``read_only``.
    """

    deleted: frozenset[int]
    retrieved: frozenset[int]


Reply: TypeAlias = Send | Close
Login: TypeAlias = PasswordLogin | ApopLogin | RpopLogin
Request: TypeAlias = (
    Login | SaslStart | SaslResponse | SaslCancel | StartTls | SendMessage | ListHeaders | SubmitMessage | Commit
)
Step: TypeAlias = Reply | Request


# -- what the shell reports -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened maildrop, as far as the core needs it; message numbers count from 1."""

    listings: Listings
    last_accessed: int = 0
    read_only: bool = False


class ResponseCode(enum.Enum):
    """Response codes of RFC 2449 section 8, RFC 3206 and RFC 6856."""

    IN_USE = "IN-USE"
    LOGIN_DELAY = "LOGIN-DELAY"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"
    AUTH = "AUTH"
    UTF8 = "UTF8"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request failed. ``text`` is ASCII, one line, without private data."""

    text: str
    code: ResponseCode | None = None


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """What this connection may do: fixed when it is made, but for TLS.

    ``mechanisms_cleartext`` and ``mechanisms_tls`` are SASL names in the order to announce. ``last``, ``rpop`` and
    ``xmit`` switch historic commands on; a command switched off is an unknown command. ``login_delay_seconds`` and
    ``expire_days`` are announced when not None (RFC 2449 sections 6.5, 6.7; expire_days -1 means NEVER).
    ``timestamp`` is the APOP time stamp with its angle brackets, None where APOP is not offered.
    """

    implementation: str = "mailspool"
    timestamp: bytes | None = None
    tls_available: bool = False
    tls_active: bool = False
    user_cleartext: bool = False
    mechanisms_cleartext: tuple[str, ...] = ()
    mechanisms_tls: tuple[str, ...] = ("PLAIN",)
    last: bool = False
    rpop: bool = False
    xmit: bool = False
    submission_octets_max: int = 10 * 1024 * 1024
    login_delay_seconds: int | None = None
    expire_days: int | None = None
    bad_commands_before_login: int = 10
    bad_commands_after_login: int = 20
