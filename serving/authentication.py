"""The authenticator as a listener sees it; ``serving.authenticator_client`` reaches the real one in its own process."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from accounts.requests import (
    ApopRequest,
    AuthAnswer,
    Offer,
    PasswordRequest,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)


class AuthenticationClient(Protocol):
    """Asks the authenticator. ``offer`` is what it can check at the moment."""

    @property
    def offer(self) -> Offer:
        """The latest offer."""

    def next_conversation(self) -> int:
        """A conversation number for ``SaslBegin`` that this worker has not used."""

    def ask(
        self, request: PasswordRequest | ApopRequest | RpopRequest | SaslBegin | SaslContinue
    ) -> Deferred[AuthAnswer]:
        """Ask and wait. Never fails: an authenticator that is gone or late answers ``Refused(TEMPORARY)``."""

    def tell(self, request: SaslAbandon | SessionEnded) -> None:
        """Say something that has no answer."""
