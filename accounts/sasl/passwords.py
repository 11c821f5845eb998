"""PLAIN (RFC 4616) and LOGIN (never standardised): a name and a password in the clear."""

from __future__ import annotations

from accounts.requests import Challenge
from accounts.sasl.steps import Failed, PasswordGiven, SaslStep


class PlainConversation:
    """One message: authorization identity, NUL, name, NUL, password."""

    def begin(self, initial: bytes | None) -> SaslStep:
        """Ask for the message if it did not come along."""
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> SaslStep:
        """Take the message apart; acting for somebody else is not offered."""
        match response.split(b"\0"):
            case [authorization, name, password] if name and password and authorization in {b"", name}:
                return PasswordGiven(name, password)
            case _:
                return Failed()


class LoginConversation:
    """Two prompts, which old clients compare with these very words; an initial response answers the first."""

    def __init__(self) -> None:
        self._name: bytes | None = None

    def begin(self, initial: bytes | None) -> SaslStep:
        """Ask for the name, or take it."""
        return Challenge(b"Username:") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> SaslStep:
        """Take the name, then the password."""
        if self._name is None:
            self._name = response
            return Challenge(b"Password:")
        return PasswordGiven(self._name, response)
