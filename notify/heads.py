"""What a notice tells of a message: its subject, and how its text begins."""

from __future__ import annotations

import email.parser
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

HEAD_OCTETS_MAX: Final = 64 * 1024
"""As much of a message is looked at; a part that goes on behind it is shown as far as it goes."""
TEXT_CHARACTERS_MAX: Final = 400

_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class MessageHead:
    """The start of a message, decoded: text that a stranger wrote, with whatever characters they liked.

    Attributes:
        subject: all Subject fields; empty without one.
        text: at most ``TEXT_CHARACTERS_MAX`` characters of the first plain text; empty without one.
    """

    subject: str
    text: str


def read_head(octets: bytes) -> MessageHead:
    """Take the start of a message apart (RFC 5322, RFC 2045, RFC 2047).

    Args:
        octets: the message, or its first ``HEAD_OCTETS_MAX`` octets; LF or CRLF.
    """
    message = email.parser.BytesParser(EmailMessage, policy=email.policy.default).parsebytes(octets[:HEAD_OCTETS_MAX])
    return MessageHead(_subject(message), _text(message)[:TEXT_CHARACTERS_MAX])


def _subject(message: EmailMessage) -> str:
    return " ".join(filter(None, (one_line(str(field)) for field in message.get_all("Subject", []))))


def _text(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain",))
        return "" if part is None else one_line(str(part.get_content()))
    except Exception:  # an unknown charset, a part cut in two, a structure that is none
        return ""


def one_line(text: str) -> str:
    """Make a text one line: what separates words or lines is a space, and none is left at the ends."""
    return _SPACE.sub(" ", text).strip()
