"""EXTERNAL (RFC 4422 appendix A): the TLS client certificate has already shown who the client is."""

from __future__ import annotations

from accounts.requests import Challenge
from accounts.sasl.steps import Failed, Proven, SaslStep
from spool.errors import MalformedNameError
from spool.names import LoginName, UserName


class ExternalConversation:
    """One message, the authorization identity: empty, or the user the certificate stands for.

    Args:
        user: whom ``control/certificates`` maps the certificate to; None for a certificate that is absent, unmapped
            or ambiguous, which is refused. It never stands for whomever the client names.
    """

    def __init__(self, user: UserName | None) -> None:
        self._user = user

    def begin(self, initial: bytes | None) -> SaslStep:
        """Ask for the message if it did not come along."""
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> SaslStep:
        """Compare the identity asked for with the one proven."""
        if self._user is None:
            return Failed()
        if not response:
            return Proven(self._user.text.encode("ascii"))
        try:
            asked = LoginName.parse(response.decode("ascii")).user
        except (UnicodeDecodeError, MalformedNameError):
            return Failed()
        return Proven(response) if asked == self._user else Failed(response)
