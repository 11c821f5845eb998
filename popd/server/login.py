"""One connection's logins: asking the authenticator, then opening the maildrop.

A login is over when its maildrop is open, or when it was refused. Whatever cancels it in between, the peer's vanishing
above all, gives back what had been obtained: the place among the user's sessions, and the maildrop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from accounts.requests import (
    ApopRequest,
    AuthAnswer,
    Challenge,
    Granted,
    PasswordRequest,
    Peer,
    Refused,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)
from popd.pop3.steps import ApopLogin, Login, PasswordLogin, Refusal, RpopLogin, SaslResponse, SaslStart
from popd.server.events import SessionLog
from popd.server.refusals import LOGIN_REFUSALS, NAMES_UNAVAILABLE, RPOP_DENIED, refusal_of
from popd.server.rpop import NamesUnavailableError, RpopDeniedError, RpopGate
from popd.server.settings import BusyPolicy
from popd.server.tls_facts import TlsFacts
from serving.authentication import AuthenticationClient
from serving.maildrops import MaildropOpener, OpenMaildrop
from spool.errors import MailboxBusyError, SpoolError

BUSY_WAIT_SECONDS: Final = 30.0  # in all, with busy = "wait"; most clients give up after 60
BUSY_RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login succeeded and the maildrop is open. Place and maildrop must be given back when the session ends."""

    granted: Granted
    maildrop: OpenMaildrop
    method: str


Outcome: TypeAlias = LoggedIn | Refusal | Challenge
_Request: TypeAlias = PasswordRequest | ApopRequest | RpopRequest | SaslBegin | SaslContinue


@dataclass(frozen=True, slots=True)
class LoginServices:
    """What the logins of all connections share."""

    client: AuthenticationClient
    opener: MaildropOpener
    rpop: RpopGate
    busy: BusyPolicy
    clock: IReactorTime


@dataclass(frozen=True, slots=True)
class _Attempt:
    """How somebody tries to log in and as whom, for the log. ``name`` is empty where only the mechanism knows it."""

    method: str
    name: bytes = b""


class Logins:
    """Carries out the login requests of one connection, one at a time. Its coroutines may be cancelled."""

    def __init__(self, services: LoginServices, log: SessionLog) -> None:
        self._services = services
        self._log = log
        self._conversation: tuple[int, _Attempt] | None = None

    async def log_in(self, step: Login, peer: Peer) -> Outcome:
        """Carry out USER and PASS, APOP, or USER and RPOP."""
        match step:
            case PasswordLogin(name, password):
                return await self._ask(PasswordRequest(peer, name, password), _Attempt("password", name))
            case ApopLogin(name, digest, timestamp):
                return await self._ask(ApopRequest(peer, name, digest, timestamp), _Attempt("apop", name))
            case RpopLogin(name, remote_user):
                return await self._rpop(name, remote_user, peer)
            case _:
                assert_never(step)

    async def sasl_start(self, step: SaslStart, peer: Peer, facts: TlsFacts) -> Outcome:
        """Begin a SASL conversation."""
        attempt = _Attempt(step.mechanism)
        number = self._services.client.next_conversation()
        self._conversation = number, attempt
        begin = SaslBegin(peer, number, step.mechanism, step.initial, facts.binding, facts.certificate_names)
        return await self._converse(begin, attempt)

    async def sasl_respond(self, step: SaslResponse) -> Outcome:
        """Go on with the conversation that sent the last challenge."""
        assert self._conversation is not None, "a response follows a challenge"
        number, attempt = self._conversation
        return await self._converse(SaslContinue(number, step.response), attempt)

    def sasl_abandon(self) -> None:
        """Forget the conversation, if there is one: it was cancelled, or the peer is gone."""
        if self._conversation is not None:
            self._services.client.tell(SaslAbandon(self._conversation[0]))
            self._conversation = None

    async def _converse(self, request: SaslBegin | SaslContinue, attempt: _Attempt) -> Outcome:
        outcome = await self._ask(request, attempt)
        if not isinstance(outcome, Challenge):
            self._conversation = None
        return outcome

    async def _rpop(self, name: bytes, remote_user: bytes, peer: Peer) -> Outcome:
        try:
            hosts = await self._services.rpop.hosts_of(peer)
        except RpopDeniedError as error:
            self._log.rpop(name, remote_user, str(error))
            return RPOP_DENIED
        except NamesUnavailableError as error:
            self._log.rpop(name, remote_user, str(error))
            return NAMES_UNAVAILABLE
        self._log.rpop(name, remote_user, f"ask {' '.join(hosts) or 'without host names'}")
        return await self._ask(RpopRequest(peer, name, remote_user, hosts), _Attempt("rpop", name))

    async def _ask(self, request: _Request, attempt: _Attempt) -> Outcome:
        answer = await self._answer_in_time(request)
        match answer:
            case Challenge():
                return answer
            case Refused(reason, delay_seconds, user):
                name = attempt.name or (b"" if user is None else user.text.encode("ascii"))
                self._log.login_failed(name, attempt.method, reason.value)
                if delay_seconds > 0:
                    await deferLater(self._services.clock, delay_seconds)
                return LOGIN_REFUSALS[reason]
            case Granted():
                return await self._open(answer, attempt)
            case _:
                assert_never(answer)

    def _answer_in_time(self, request: _Request) -> Deferred[AuthAnswer]:
        """Ask such that cancelling does not lose a grant that arrives too late: it is given back."""
        in_time: Deferred[AuthAnswer] = Deferred()

        def pass_on(answer: AuthAnswer) -> None:
            if not in_time.called:
                in_time.callback(answer)
            elif isinstance(answer, Granted):
                self._give_back(answer)

        self._services.client.ask(request).addCallback(pass_on)
        return in_time

    async def _open(self, granted: Granted, attempt: _Attempt) -> LoggedIn | Refusal:
        opened = None
        try:
            opened = await self._open_in_turn(granted)
        except SpoolError as error:
            self._log.request_failed(granted.user, error)
            return refusal_of(error)
        finally:
            if opened is None:
                self._give_back(granted)
        self._log.logged_in(granted.user, attempt.method, len(opened.wire_octets))
        return LoggedIn(granted, opened, attempt.method)

    async def _open_in_turn(self, granted: Granted) -> OpenMaildrop:
        clock, busy = self._services.clock, self._services.busy
        give_up_at = clock.seconds() + (BUSY_WAIT_SECONDS if busy == "wait" else 0.0)
        while True:
            try:
                return await self._services.opener.open(granted, share=busy == "share")
            except MailboxBusyError:
                if clock.seconds() >= give_up_at:
                    raise
            await deferLater(clock, BUSY_RETRY_SECONDS)

    def _give_back(self, granted: Granted) -> None:
        self._services.client.tell(SessionEnded(granted.user, opened=False))
