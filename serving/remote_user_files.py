"""Users' files that the authenticator needs, read by processes that have become the users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from accounts.checks import RhostsNeeded
from serving.channel import Frame
from serving.mail_session import MailSession
from serving.spawner_client import MailSocket, SpawnerClient

SealTicket: TypeAlias = Callable[[RhostsNeeded], bytes]
"""Seals a ticket for a user who has not logged in yet: the authenticator's alone."""


class RemoteUserFiles:
    """Reads users' files for the authenticator (``serving.check_runner.UserFiles``)."""

    def __init__(self, reactor: Any, spawner: SpawnerClient, operation_seconds: float, seal: SealTicket) -> None:
        self._reactor = reactor
        self._spawner = spawner
        self._operation_seconds = operation_seconds
        self._seal = seal

    def read_rhosts(self, needed: RhostsNeeded) -> Deferred[bytes]:
        """The content of ``.rhosts``; fails with a SpoolError."""
        return self._spawner.open(self._seal(needed)).addCallback(self._read)

    def _read(self, mail_socket: MailSocket) -> Deferred[bytes]:
        session = MailSession(self._reactor, mail_socket, self._operation_seconds, lambda: None)

        def ended(result: Frame | Failure) -> bytes | Failure:
            session.close()
            return result if isinstance(result, Failure) else result.body

        return session.ask(Frame({"do": "rhosts"})).addBoth(ended)
