"""Settings of the accounts: the ``[auth]`` table of ``mailspool.toml``, and what other tables say about logins.

``AuthSettings`` checks its own values and raises ``ValueError`` with a text that begins with the key; the reader of
``mailspool.toml`` adds file and table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

MECHANISMS: Final = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "EXTERNAL",
    "PLAIN",
    "LOGIN",
)
"""The SASL mechanisms of ``accounts.sasl``, best first."""

WRITABLE_SCHEMES: Final = (
    "ARGON2ID",
    "ARGON2I",
    "BLF-CRYPT",
    "SHA512-CRYPT",
    "SHA256-CRYPT",
    "MD5-CRYPT",
    "SSHA512",
    "SSHA256",
    "SSHA",
    "SHA",
    "PLAIN",
    "CLEARTEXT",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
)
"""The password schemes, by Dovecot's names, that ``accounts.schemes`` writes; it verifies some more."""

_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes a file name in /etc/pam.d
_CLEARTEXT: Final = ("never", "loopback", "always")


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How passwords are stored, offered and checked.

    ``cleartext`` says where a password may cross the network without TLS. ``mechanisms`` are SASL names in the order to
    announce; each is announced only where it can work. ``schemes`` are what ``user add`` and ``user passwd`` write, one
    verifier for each. ``apop_only`` keeps users who have an APOP secret from sending a password without TLS, because
    one bid-down would reveal the secret (RFC 1939 section 13). A failed login is answered ``failure_delay_seconds``
    after it came. A right password is remembered, as a keyed digest, for ``cache_seconds`` (0: never).

    A password that ``control/passwd`` does not know is offered to the ``checkpassword`` program, if one is set, and to
    PAM under ``pam_service``, if that is set. ``checkpassword_apop`` says that the program can check APOP digests too.

    Raises:
        ValueError: a value is out of its range; the message begins with the key.
    """

    cleartext: Literal["never", "loopback", "always"] = "loopback"
    mechanisms: tuple[str, ...] = MECHANISMS
    schemes: tuple[str, ...] = ("ARGON2ID",)
    apop_only: bool = True
    failure_delay_seconds: float = 2.0
    cache_seconds: float = 300.0
    checkpassword: tuple[str, ...] = ()
    checkpassword_apop: bool = False
    pam_service: str | None = None

    def __post_init__(self) -> None:
        _require_known("cleartext", (self.cleartext,), _CLEARTEXT)
        _require_known("mechanisms", self.mechanisms, MECHANISMS)
        _require_known("schemes", self.schemes, WRITABLE_SCHEMES)
        if not self.schemes:
            raise ValueError(f"schemes: expected at least one of {', '.join(WRITABLE_SCHEMES)}, found none")
        _require_range("failure_delay_seconds", self.failure_delay_seconds, 0, 60)
        _require_range("cache_seconds", self.cache_seconds, 0, 86_400)
        if self.checkpassword and not self.checkpassword[0].startswith("/"):
            raise ValueError(
                f"checkpassword: expected a program's absolute path first, found {self.checkpassword[0]!r}"
            )
        if self.checkpassword_apop and not self.checkpassword:
            raise ValueError("checkpassword_apop: expected checkpassword with it, found none")
        if self.pam_service is not None and not _SERVICE_NAME.fullmatch(self.pam_service):
            raise ValueError(f"pam_service: expected a service name, found {self.pam_service[:80]!r}")


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """What the tables ``[service]``, ``[limits]`` and ``[pop3]`` tell the authenticator.

    Nobody logs in as a user whose uid is below ``uid_min``. A limit of 0 means none. ``login_delay_seconds`` is the
    least time between two logins of one user (RFC 2449 section 6.5). RPOP is refused outside ``rpop_networks``, and
    from source ports outside ``rpop_ports`` (first and last).
    """

    uid_min: int = 100
    connections_per_user: int = 20
    failures_per_address: int = 20
    login_delay_seconds: float = 0.0
    rpop_networks: tuple[Network, ...] = ()
    rpop_ports: tuple[int, int] = (512, 1023)


def _require_known(key: str, found: Iterable[str], known: Collection[str]) -> None:
    for value in found:
        if value not in known:
            raise ValueError(f"{key}: expected one of {', '.join(known)}, found {value[:80]!r}")


def _require_range(key: str, found: float, least: float, most: float) -> None:
    if not (math.isfinite(found) and least <= found <= most):
        raise ValueError(f"{key}: expected {least} to {most}, found {found}")
