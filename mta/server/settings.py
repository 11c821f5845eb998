"""Settings of LMTP: the ``[lmtp]`` table of ``mailspool.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LmtpSettings:
    """What one LMTP connection may do.

    ``message_octets`` is the largest message, as stored. ``reply_seconds``: each recipient of a message is decided
    within so many seconds, or gets a temporary refusal. ``bare_line_ends``: whether CR or LF alone in a message is kept
    as it is, or the message refused. ``trusted_users``: accounts, by name or uid, that deliver to anybody over a UNIX
    socket, as root and the service itself do; every other account delivers to its own addresses.

    Where users have uids of their own, ``delivery_processes`` deliver at once over the whole site, and
    ``delivery_processes_per_user`` for one of them; ``delivery_processes_idle`` are kept for their user's next message.

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    message_octets: int = 50 * 1024 * 1024
    recipients: int = 1000
    idle_seconds: float = 300.0
    reply_seconds: float = 30.0
    bare_line_ends: Literal["keep", "refuse"] = "keep"
    trusted_users: tuple[str, ...] = ()
    delivery_processes: int = 200
    delivery_processes_per_user: int = 4
    delivery_processes_idle: int = 50

    def __post_init__(self) -> None:
        for key in ("message_octets", "idle_seconds", "reply_seconds"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key)}")
        for key, minimum in (
            ("delivery_processes", 1),
            ("delivery_processes_per_user", 1),
            ("delivery_processes_idle", 0),
        ):
            if getattr(self, key) < minimum:
                raise ValueError(f"{key}: expected at least {minimum}, found {getattr(self, key)}")
        if self.recipients < 100:  # RFC 5321 section 4.5.3.1.8
            raise ValueError(f"recipients: expected at least 100, found {self.recipients}")
