"""Decides who is logged in. Pure: it reads small files and tables, and hands every slow check to its caller."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from accounts.checks import Check, CheckOutcome
from accounts.credentials import Credentials
from accounts.directory import Directory
from accounts.requests import AuthAnswer, AuthRequest, Offer, RefusalReason, Refused
from accounts.settings import AuthSettings, LoginPolicy


@dataclass(frozen=True, slots=True)
class Pending:
    """Carry out ``check`` and give its outcome to ``Authenticator.finish`` under ``token``."""

    token: int
    check: Check


Decision: TypeAlias = AuthAnswer | Pending | None
"""An answer to send; a check to make first; or None for a request that has no answer, or whose client is gone."""


class Authenticator:
    """The decision engine of one site.

    ``now`` is always in seconds of one clock that never goes back and that the spawner shares. ``client_id`` names one
    worker's connection to the authenticator and is not used again for another.
    """

    def __init__(
        self,
        *,
        settings: AuthSettings,
        policy: LoginPolicy,
        directory: Directory,
        credentials: Credentials,
        service_uid: int,
        ticket_key: bytes,
        random_octets: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._settings = settings

    def reload(self, settings: AuthSettings, policy: LoginPolicy) -> None:
        """Go on with new settings; failures, sessions and conversations are kept."""
        self._settings = settings

    def offer(self) -> Offer:
        """What can be checked now; ask again from time to time, since files change."""
        return Offer((), apop=False)

    def receive(self, client_id: int, request: AuthRequest, now: float) -> Decision:
        """Take one request of a worker."""
        return Refused(RefusalReason.TEMPORARY)

    def finish(self, token: int, outcome: CheckOutcome, now: float) -> Decision:
        """Take the outcome of a check; each token is good once, and an unknown one is answered None."""
        return None

    def client_gone(self, client_id: int) -> None:
        """A worker is gone, and with it its conversations, its waiting logins and its sessions."""
