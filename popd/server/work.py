"""The requests of one session: what the protocol core asks for and cannot do itself.

Here stands what a session holds between two requests: a SASL conversation, the user's place among their sessions, the
open maildrop. All of it is given back once, by QUIT or by ``give_up``.
"""

from __future__ import annotations

import dataclasses
from typing import TypeAlias, assert_never

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from accounts.requests import Challenge, Peer, SessionEnded
from popd.pop3.session import Session
from popd.pop3.steps import (
    ApopLogin,
    Commit,
    ListHeaders,
    Login,
    PasswordLogin,
    Refusal,
    RpopLogin,
    SaslResponse,
    SaslStart,
    SendMessage,
    Snapshot,
    Step,
    SubmitMessage,
)
from popd.server.counters import SessionCounters
from popd.server.events import SessionLog
from popd.server.login import LoggedIn, Logins, Outcome
from popd.server.messages import MessageSender
from popd.server.outlet import Outlet
from popd.server.refusals import INTERNAL_TROUBLE, MESSAGE_REFUSED, SUBMISSION_TROUBLE, TOO_MANY_SUBMISSIONS, refusal_of
from popd.server.service import Pop3Service
from popd.server.submission import SubmissionError
from popd.server.tls_facts import TlsFacts
from spool.errors import SpoolError
from spool.names import UserName

LongRequest: TypeAlias = Login | SaslStart | SaslResponse | SendMessage | ListHeaders | SubmitMessage | Commit


class SessionWork:
    """Carries out the requests of one session, one at a time."""

    def __init__(self, service: Pop3Service, session: Session, outlet: Outlet, peer: Peer, log: SessionLog) -> None:
        self.committing = False
        """A commit is out: whatever becomes of the connection, it must be let finish."""
        self.counts = SessionCounters()
        self.user: UserName | None = None
        self._service = service
        self._session = session
        self._outlet = outlet
        self._peer = peer
        self._log = log
        self._logins = Logins(service.logins, log)
        self._facts = TlsFacts()
        self._logged_in: LoggedIn | None = None
        self._sender: MessageSender | None = None

    @property
    def in_the_middle(self) -> bool:
        """Whether a message is partly written, so that nothing else may be."""
        return self._sender is not None and self._sender.in_the_middle

    def tls_started(self, connection: SSL.Connection) -> None:
        """Take note of a finished handshake."""
        self._peer = dataclasses.replace(self._peer, tls=True)
        self._facts = TlsFacts.of(connection)

    def send_at_hand(self, request: SendMessage) -> bool:
        """Send a message at once if it was read ahead, and say whether it was."""
        return self._sender is not None and self._sender.send_at_hand(request.number, request.body_lines)

    async def perform(self, request: LongRequest) -> tuple[Step, ...]:
        """Carry a request out, report its end to the session, and return what that leads to.

        Raises whatever goes wrong, for ``refusal_of`` to answer. May be cancelled unless ``committing``.
        """
        match request:
            case PasswordLogin() | ApopLogin() | RpopLogin():
                return self._enter(await self._logins.log_in(request, self._peer))
            case SaslStart():
                return self._enter(await self._logins.sasl_start(request, self._peer, self._facts))
            case SaslResponse():
                return self._enter(await self._logins.sasl_respond(request))
            case SendMessage(number, body_lines):
                await self._messages.send(number, body_lines)
                return self._session.message_sent()
            case ListHeaders(field_name, numbers):
                return self._session.headers_listed(await self._messages.read_headers(field_name, numbers))
            case SubmitMessage(message):
                return await self._submit(message)
            case Commit():
                return await self._commit(request)
            case _:
                assert_never(request)

    def refusal_of(self, failure: Failure) -> Refusal:
        """Say what the peer may know about the failure of ``perform``, and log the rest."""
        if isinstance(failure.value, SpoolError):
            self._log.request_failed(self.user, failure.value)
            return refusal_of(failure.value)
        self._log.broken(failure)
        return INTERNAL_TROUBLE

    def abandon_sasl(self) -> None:
        """Forget a SASL conversation, if there is one."""
        self._logins.sasl_abandon()

    def give_up(self) -> Deferred[None]:
        """Give everything back without a commit; fires when the maildrop is free."""
        self._logins.sasl_abandon()
        logged_in, self._logged_in = self._logged_in, None
        if logged_in is None:
            return succeed(None)
        self._service.logins.client.tell(SessionEnded(logged_in.granted.user, opened=True))
        return logged_in.maildrop.close().addErrback(self._log.broken)

    @property
    def _messages(self) -> MessageSender:
        assert self._sender is not None, "messages are asked for in TRANSACTION"
        return self._sender

    def _enter(self, outcome: Outcome) -> tuple[Step, ...]:
        match outcome:
            case Challenge(data):
                return self._session.sasl_challenge(data)
            case Refusal():
                self._service.totals.login_failures += 1
                return self._session.refused(outcome)
            case LoggedIn(granted, maildrop):
                self._service.totals.logins += 1
                self._logged_in = outcome
                self.user = granted.user
                self._sender = MessageSender(maildrop, self._outlet, self.counts, self._service.totals)
                listings = self._service.listings.of(granted.user, maildrop.wire_octets, maildrop.unique_ids)
                return self._session.logged_in(Snapshot(listings, maildrop.last_accessed, maildrop.read_only))
            case _:
                assert_never(outcome)

    async def _submit(self, message: bytes) -> tuple[Step, ...]:
        assert self.user is not None, "messages are submitted in TRANSACTION"
        if not self._service.allowance.take(self.user):
            self._log.submitted(self.user, len(message), "too many")
            return self._session.refused(TOO_MANY_SUBMISSIONS)
        try:
            await self._service.submitter.submit(self.user, message)
        except SubmissionError as error:
            self._log.submitted(self.user, len(message), str(error))
            return self._session.refused(MESSAGE_REFUSED if error.permanent else SUBMISSION_TROUBLE)
        self._log.submitted(self.user, len(message), "sent")
        return self._session.submitted()

    async def _commit(self, request: Commit) -> tuple[Step, ...]:
        """Carry out UPDATE. The maildrop is free before the client hears of it, since some log in again at once."""
        assert self._logged_in is not None, "UPDATE follows TRANSACTION"
        self.committing = True
        try:
            if request.deleted or request.retrieved:
                await self._logged_in.maildrop.commit(request.deleted, request.retrieved)
        finally:
            await self.give_up()
            self.committing = False
        self.counts.deleted = len(request.deleted)
        self._service.totals.messages_deleted += len(request.deleted)
        return self._session.committed()
