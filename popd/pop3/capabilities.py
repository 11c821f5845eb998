"""What CAPA announces and which commands and mechanisms a connection offers, from its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from popd.pop3 import commands
from popd.pop3.replies import multi_line
from popd.pop3.steps import Send, SessionPolicy

_SWITCHES: Final[Mapping[type[commands.Command], Callable[[SessionPolicy], bool]]] = {
    commands.Apop: lambda policy: policy.timestamp is not None,
    commands.Last: lambda policy: policy.last,
    commands.Rpop: lambda policy: policy.rpop,
    commands.Stls: lambda policy: policy.tls_available,
    commands.XtndXmit: lambda policy: policy.xmit,
}


def offers(policy: SessionPolicy, command: commands.Command) -> bool:
    """Whether the command is known here at all; one that is switched off is an unknown command."""
    switched_on = _SWITCHES.get(type(command))
    return switched_on is None or switched_on(policy)


def permits_password(policy: SessionPolicy) -> bool:
    """Whether a password may cross this connection as it is now."""
    return policy.tls_active or policy.user_cleartext


def mechanisms(policy: SessionPolicy) -> tuple[str, ...]:
    """SASL mechanisms of this connection as it is now, in the order to announce."""
    return policy.mechanisms_tls if policy.tls_active else policy.mechanisms_cleartext


def permits_stls(policy: SessionPolicy, *, utf8: bool) -> bool:
    """Whether STLS would be accepted: not twice, and not after UTF8 (RFC 6856 section 2.1)."""
    return policy.tls_available and not policy.tls_active and not utf8


def announce(policy: SessionPolicy, *, logged_in: bool, utf8: bool = False) -> Send:
    """The whole reply to CAPA (RFC 2449 section 5), in one write: Mew hangs when it comes in two packets.

    Args:
        policy: of the connection as it is now.
        logged_in: the state is TRANSACTION.
        utf8: UTF8 was accepted.
    """
    return multi_line("capabilities follow", _tags(policy, logged_in=logged_in, utf8=utf8))


def _tags(policy: SessionPolicy, *, logged_in: bool, utf8: bool) -> Iterator[str]:
    yield "TOP"
    yield "UIDL"
    yield "RESP-CODES"
    yield "AUTH-RESP-CODE"
    yield "PIPELINING"
    if permits_password(policy):
        yield "USER"
    if names := mechanisms(policy):
        yield "SASL " + " ".join(names)
    if not logged_in and permits_stls(policy, utf8=utf8):
        yield "STLS"
    if policy.login_delay_seconds is not None:
        yield f"LOGIN-DELAY {policy.login_delay_seconds}"
    if policy.expire_days is not None:
        yield "EXPIRE NEVER" if policy.expire_days < 0 else f"EXPIRE {policy.expire_days}"
    yield "UTF8"
    yield "LANG"
    if logged_in:
        # RFC 2449 section 6.9 lets it wait for the login, so that a scanner learns nothing.
        yield f"IMPLEMENTATION {policy.implementation}"
