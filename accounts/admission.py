"""What still stands between a user who proved who they are and a session.

Nobody is told any of it before: that a user has too many sessions, came too soon, or may not log in at all, is nothing
for somebody who is only guessing.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.directory import UserRecord
from accounts.login_delay import LoginDelay
from accounts.requests import Granted, RefusalReason
from accounts.sessions import Sessions
from accounts.settings import LoginPolicy
from accounts.tickets import LIFETIME_SECONDS, NONCE_OCTETS, Ticket, seal
from spool.names import UserName


class Admission:
    """Grants sessions and counts them.

    Args:
        service_uid: the uid whose mail a worker may serve itself; for others it needs a ticket.
        ticket_key: the key the spawner knows too; empty where there is none, and then nobody else's mail is served.
        random_octets: where nonces come from.
    """

    def __init__(self, service_uid: int, ticket_key: bytes, random_octets: Callable[[int], bytes]) -> None:
        self._sessions = Sessions()
        self._delay = LoginDelay()
        self._service_uid = service_uid
        self._ticket_key = ticket_key
        self._random_octets = random_octets

    def admit(
        self,
        client_id: int,
        user: UserName,
        record: UserRecord,
        policy: LoginPolicy,
        now: float,
    ) -> Granted | RefusalReason:
        """Grant a session, which counts from now on, or say why not."""
        foreign = record.uid != self._service_uid
        if record.uid < policy.uid_min or (foreign and not self._ticket_key):
            return RefusalReason.PERMANENT
        if self._delay.too_soon(user, policy.login_delay_seconds, now):
            return RefusalReason.LOGIN_DELAY
        if 0 < policy.connections_per_user <= self._sessions.count(user):
            return RefusalReason.TOO_MANY_SESSIONS
        self._delay.logged_in(user, policy.login_delay_seconds, now)
        self._sessions.opened(client_id, user)
        ticket = self._ticket(user, record, now) if foreign else b""
        return Granted(user, record.uid, record.gid, record.home, ticket)

    def ended(self, client_id: int, user: UserName, *, opened: bool) -> None:
        """A session of a worker is over; one whose maildrop was never ``opened`` delays no login."""
        if self._sessions.ended(client_id, user) and not opened:
            self._delay.forget(user)

    def worker_gone(self, client_id: int) -> None:
        """All sessions of a worker ended with it."""
        self._sessions.worker_gone(client_id)

    def _ticket(self, user: UserName, record: UserRecord, now: float) -> bytes:
        nonce = self._random_octets(NONCE_OCTETS)
        return seal(self._ticket_key, Ticket(user, record.uid, record.gid, record.home, now + LIFETIME_SECONDS, nonce))
