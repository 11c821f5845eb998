"""Settings of LMTP: the ``[lmtp]`` table of ``mailspool.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LmtpSettings:
    """What one LMTP connection may do.

    ``message_octets`` is the largest message, as stored. ``reply_seconds``: each recipient of a message is decided
    within so many seconds, or gets a temporary refusal. ``bare_line_ends``: whether CR or LF alone in a message is kept
    as it is, or the message refused.

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    message_octets: int = 50 * 1024 * 1024
    recipients: int = 1000
    idle_seconds: float = 300.0
    reply_seconds: float = 30.0
    bare_line_ends: Literal["keep", "refuse"] = "keep"

    def __post_init__(self) -> None:
        for key in ("message_octets", "idle_seconds", "reply_seconds"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key)}")
        if self.recipients < 100:  # RFC 5321 section 4.5.3.1.8
            raise ValueError(f"recipients: expected at least 100, found {self.recipients}")
