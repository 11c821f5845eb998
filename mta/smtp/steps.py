"""What the session asks of whoever carries it out, and what it must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mta.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """What one connection may do. ``message_octets_max`` counts as stored, with LF line ends."""

    host_name: str
    tls_available: bool
    tls_active: bool
    message_octets_max: int
    recipients_max: int
    refuse_bare_line_ends: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom a message is from, None for the null sender, and to whom it goes: those who were accepted, in order."""

    sender: str | None
    recipients: Sequence[str]


@dataclass(frozen=True, slots=True)
class Send:
    """Send octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class CheckRecipient:
    """Find out whether a recipient can be delivered to; report by ``Session.recipient_checked``."""

    address: str
    sender: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """More of the message, in stored form, at most twice what was received."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """The message is whole: deliver it to each recipient; report by ``Session.decided`` for each, in any order."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget what came of the message."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A good recipient of a whole message that is delivered to nobody: note it; the reply is sent by its own step."""

    address: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class StartTls:
    """Start the handshake; report by ``Session.tls_started``. What was received before it is not to be used."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection when all is sent."""


Request: TypeAlias = CheckRecipient | Deliver | StartTls
Step: TypeAlias = Send | Content | Discard | Refused | Close | Request
