"""Replies: three digits, an enhanced status code (RFC 2034, RFC 3463) and a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. ``enhanced`` is None where none belongs: in greetings and to LHLO (RFC 2034 section 4).

    ``text`` is printable ASCII; a reply with several lines has them in ``more``, which come first.
    """

    code: int
    enhanced: str | None
    text: str
    more: Sequence[str] = ()

    @property
    def octets(self) -> bytes:
        """The reply as it is sent (RFC 5321 section 4.2)."""
        status = "" if self.enhanced is None else f"{self.enhanced} "
        lines = [f"{self.code}-{status}{line}\r\n" for line in self.more]
        return "".join((*lines, f"{self.code} {status}{self.text}\r\n")).encode("ascii", "replace")


OK: Final = Reply(250, "2.0.0", "ok")
SENDER_OK: Final = Reply(250, "2.1.0", "sender ok")
RECIPIENT_OK: Final = Reply(250, "2.1.5", "recipient ok")
DELIVERED: Final = Reply(250, "2.1.5", "delivered")
SEND_MESSAGE: Final = Reply(354, None, "send the message, end with CRLF.CRLF")
CHUNK_OK: Final = Reply(250, "2.0.0", "chunk received")
BYE: Final = Reply(221, "2.0.0", "bye")
READY_FOR_TLS: Final = Reply(220, "2.0.0", "ready to start TLS")
CANNOT_VERIFY: Final = Reply(252, "2.5.0", "send it, and the recipient will be checked")  # RFC 5321 section 3.5.3
SYNTAX: Final = Reply(500, "5.5.2", "syntax error")
UNKNOWN: Final = Reply(500, "5.5.1", "unknown command")
LINE_TOO_LONG: Final = Reply(500, "5.5.2", "line too long")
BAD_ARGUMENT: Final = Reply(501, "5.5.4", "syntax error in the argument")
BAD_ADDRESS: Final = Reply(501, "5.1.3", "not an address")
BAD_SENDER: Final = Reply(501, "5.1.7", "not a sender address")
NEEDS_UTF8: Final = Reply(553, "5.6.7", "this address needs SMTPUTF8")  # RFC 6531 section 3.5
UNKNOWN_PARAMETER: Final = Reply(555, "5.5.4", "parameter not known")  # RFC 5321 section 4.1.1.11
OUT_OF_ORDER: Final = Reply(503, "5.5.1", "not now")
NO_RECIPIENTS: Final = Reply(503, "5.5.1", "no valid recipients")  # RFC 2033 section 4.2
TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "too many recipients")
TOO_LARGE: Final = Reply(552, "5.3.4", "message too large")
BARE_LINE_END: Final = Reply(550, "5.6.0", "CR or LF alone in the message")
TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "too many errors")
TOO_SLOW: Final = Reply(421, "4.4.2", "time is over")
RESTARTING: Final = Reply(421, "4.3.2", "the service is restarting, try again")
TOO_MANY_CONNECTIONS: Final = Reply(421, "4.7.0", "too many connections")
TRY_LATER: Final = Reply(451, "4.3.0", "mail system error")
NOT_IN_TIME: Final = Reply(451, "4.4.2", "not delivered in time, try again")
