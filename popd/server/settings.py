"""Settings of the POP3 service: the ``[pop3]`` table of ``mailspool.toml``.

The class checks its own values and raises ``ValueError`` with a text that begins with the key; the reader of
``mailspool.toml`` adds file and table.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
BusyPolicy: TypeAlias = Literal["refuse", "wait", "share"]

EXPIRE_NEVER: Final = -1
_PORT_RANGE: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
_BUSY_POLICIES: Final = ("refuse", "wait", "share")


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """What POP3 sessions may do and how long they may take to do it.

    ``idle_seconds`` defaults to the least RFC 1939 section 3 allows; sites of pollers choose less at their own risk.
    ``rpop_networks`` are the networks whose root users are trusted to say who their users are (RFC 1225); none
    switches RPOP off. ``rpop_ports`` is the range of source ports RPOP may come from, ``rresvport``'s by default.
    ``xtnd_xmit`` is the command, an argument a piece, that gets messages of XTND XMIT; none switches it off.
    ``busy`` says what a second session on one maildrop gets: a refusal, its turn, or a read-only view.
    ``login_delay_seconds`` and ``expire_days`` are announced when set; -1 days mean that mail is kept for ever.

    Raises:
        ValueError: a value out of its range; the message begins with the key.
    """

    idle_seconds: int = 600
    login_seconds: int = 60
    rpop_networks: tuple[str, ...] = ()
    rpop_ports: str = "512-1023"
    last: bool = False
    xtnd_xmit: tuple[str, ...] = ()
    xtnd_xmit_messages_per_hour: int = 60
    busy: BusyPolicy = "refuse"
    login_delay_seconds: int | None = None
    expire_days: int | None = None

    def __post_init__(self) -> None:
        for key in ("idle_seconds", "login_seconds", "xtnd_xmit_messages_per_hour"):
            _expect(getattr(self, key) >= 1, key, "at least 1", getattr(self, key))
        _expect(self.busy in _BUSY_POLICIES, "busy", f"one of {', '.join(_BUSY_POLICIES)}", self.busy)
        delay, expire = self.login_delay_seconds, self.expire_days
        _expect(delay is None or delay >= 0, "login_delay_seconds", "at least 0", delay)
        _expect(expire is None or expire >= EXPIRE_NEVER, "expire_days", f"at least {EXPIRE_NEVER}", expire)
        _expect(all(self.xtnd_xmit), "xtnd_xmit", "no empty argument", self.xtnd_xmit)
        self.trusted_networks()
        self.trusted_ports()

    def trusted_networks(self) -> tuple[IPNetwork, ...]:
        """``rpop_networks`` taken apart; a network with host bits set is an error, not rounded."""
        try:
            return tuple(ipaddress.ip_network(network) for network in self.rpop_networks)
        except ValueError as error:
            raise ValueError(f"rpop_networks: expected networks such as 192.0.2.0/24: {error}") from error

    def trusted_ports(self) -> range:
        """``rpop_ports`` taken apart: reserved ports only, for the others anybody may bind."""
        found = _PORT_RANGE.fullmatch(self.rpop_ports)
        ports = range(int(found[1]), int(found[2]) + 1) if found else range(0)
        reserved = bool(ports) and ports[0] >= 1 and ports[-1] <= 1023
        _expect(reserved, "rpop_ports", "FIRST-LAST within 1-1023", self.rpop_ports)
        return ports


def _expect(holds: bool, key: str, expected: str, found: object) -> None:
    if not holds:
        raise ValueError(f"{key}: expected {expected}, found {found!r}")
