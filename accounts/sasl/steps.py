"""What a mechanism says after each message of the client: ask on, or what it came to.

A conversation is begun once and then answered until it no longer gives a ``Challenge``; after that it is used up.
Challenges and responses are octets, not base64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from accounts.requests import Challenge


@dataclass(frozen=True, slots=True)
class PasswordGiven:
    """The client sent a name and a password; somebody has to check them."""

    name: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proven:
    """The client proved to be ``name``, which is its login name as it sent it."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The client broke the mechanism's rules, or proved nothing. ``name`` is whom it claimed to be, as far as known."""

    name: bytes = b""


SaslStep: TypeAlias = Challenge | PasswordGiven | Proven | Failed


class Conversation(Protocol):
    """One authentication with one mechanism."""

    def begin(self, initial: bytes | None) -> SaslStep:
        """Start; ``initial`` is the client's initial response, None if it sent none."""

    def respond(self, response: bytes) -> SaslStep:
        """Take the client's answer to the last challenge."""
