"""One POP3 session: lines in, steps out. It knows no socket, clock, file or Twisted.

The session is in one of four states (``popd.pop3.states``), and in AUTHORIZATION and TRANSACTION the rules of that
state are an object of their own: ``Authorization`` until a login succeeds, ``Transaction`` from then on. The session
itself keeps what holds in every state: which commands are offered and permitted, that only one request is out at a
time, how many bad commands in a row are borne, and how it ends.

A peer that vanishes needs no call here: the shell drops the session, and with it every mark, since nothing changes in a
mailbox before ``Commit``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from popd.pop3.authorization import Authorization
from popd.pop3.capabilities import offers
from popd.pop3.commands import MAX_COMMAND_OCTETS, CommandSyntaxError, UnknownCommandError, parse_command
from popd.pop3.replies import negative, positive
from popd.pop3.states import AuthorizationCommand, Expecting, State, TransactionCommand
from popd.pop3.steps import (
    ApopLogin,
    Close,
    Commit,
    ListHeaders,
    PasswordLogin,
    Refusal,
    Request,
    RpopLogin,
    SaslCancel,
    SaslResponse,
    SaslStart,
    Send,
    SendMessage,
    SessionPolicy,
    Snapshot,
    StartTls,
    Step,
    SubmitMessage,
)
from popd.pop3.transaction import Transaction

_R = TypeVar("_R", bound=Request)

LINE_OCTETS_MAX: Final = {
    Expecting.COMMAND: MAX_COMMAND_OCTETS,
    Expecting.SASL_RESPONSE: 16 * 1024,  # RFC 5034 sets none; OAuth tokens pass 4 KiB
    Expecting.MESSAGE_LINE: 64 * 1024,
}

_LOGINS: Final = (PasswordLogin, ApopLogin, RpopLogin, SaslStart, SaslResponse)


class UnexpectedCallError(RuntimeError):
    """The shell broke the contract of ``popd.pop3.steps``: a line while a request is out, or a report nobody awaits."""


class Session:
    """The state machine of one connection.

    Every method that takes something returns the steps to carry out, in order. When the last of them is a request,
    ``waiting`` is true until the shell reports its end. After ``Close`` every call returns no steps.
    """

    __slots__ = ("_awaited", "_bad_commands", "_phase", "_state")

    def __init__(self, policy: SessionPolicy) -> None:
        self._state = State.AUTHORIZATION
        self._phase: Authorization | Transaction = Authorization(policy)
        self._awaited: Request | None = None
        self._bad_commands = 0

    @property
    def state(self) -> State:
        """The state the session is in."""
        return self._state

    @property
    def policy(self) -> SessionPolicy:
        """The policy as it is now; ``tls_active`` changes during a session."""
        return self._phase.policy

    @property
    def waiting(self) -> bool:
        """Whether a request is out, so that no line may be fed."""
        return self._awaited is not None

    @property
    def expecting(self) -> Expecting:
        """What the peer's next line is."""
        return self._phase.expecting

    @property
    def line_octets_max(self) -> int:
        """How long the peer's next line may be, its line end included."""
        return LINE_OCTETS_MAX[self._phase.expecting]

    # -- from the peer ------------------------------------------------------------------------------------------------

    def greet(self) -> tuple[Step, ...]:
        """Begin: the greeting, with the APOP time stamp where APOP is offered. Called once, first."""
        timestamp = self.policy.timestamp
        return (positive("POP3 ready" if timestamp is None else f"POP3 ready {timestamp.decode('ascii')}"),)

    def receive(self, line: bytes) -> tuple[Step, ...]:
        """Take one line of at most ``line_octets_max`` octets, here without its line end.

        Raises:
            UnexpectedCallError: a request is out.
        """
        if not self._is_listening():
            return ()
        if self._phase.expecting is Expecting.COMMAND:
            return self._carry_on(self._take_command(line))
        return self._carry_on(self._phase.take_line(line))

    def line_too_long(self) -> tuple[Step, ...]:
        """Take note of a line longer than ``line_octets_max``, which the shell skips up to its end.

        Raises:
            UnexpectedCallError: a request is out.
        """
        if not self._is_listening():
            return ()
        if self._phase.expecting is Expecting.COMMAND:
            return self._carry_on(self._bad_command("command line too long"))
        return self._carry_on(self._phase.line_too_long())

    def timed_out(self) -> tuple[Step, ...]:
        """End a session whose peer fell silent: no UPDATE, and not a word (RFC 1939 section 3).

        May come at any time; the end of a request that is out need not be reported any more.
        """
        if self._state is State.CLOSED:
            return ()
        return self._carry_on((*self._phase.timed_out(), Close()))

    # -- reports: how the request that is out ended. Each raises UnexpectedCallError when no such request is out. ------

    def logged_in(self, snapshot: Snapshot) -> tuple[Step, ...]:
        """The login was granted, and the maildrop is open and locked."""
        if self._end_of(*_LOGINS) is None:
            return ()
        self._phase = Transaction(self.policy, snapshot)
        self._state = State.TRANSACTION
        return self._carry_on(self._phase.greet())

    def sasl_challenge(self, data: bytes) -> tuple[Step, ...]:
        """The mechanism goes on with a challenge, not base64-coded; what it says on success is one as well."""
        if self._end_of(SaslStart, SaslResponse) is None:
            return ()
        assert isinstance(self._phase, Authorization)
        return self._carry_on(self._phase.challenge(data))

    def tls_started(self) -> tuple[Step, ...]:
        """The handshake is done, and what the peer had sent in the clear after STLS was thrown away."""
        if self._end_of(StartTls) is None:
            return ()
        assert isinstance(self._phase, Authorization)
        self._phase.tls_started()
        return ()

    def message_sent(self) -> tuple[Step, ...]:
        """The whole reply to RETR or TOP has been handed to the transport."""
        request = self._end_of(SendMessage)
        if request is None:
            return ()
        assert isinstance(self._phase, Transaction)
        self._phase.message_sent(request)
        return ()

    def headers_listed(self, values: Iterable[tuple[int, bytes]]) -> tuple[Step, ...]:
        """The header fields were read: pairs of message number and value (``popd.pop3.headers.field_value``)."""
        request = self._end_of(ListHeaders)
        if request is None:
            return ()
        assert isinstance(self._phase, Transaction)
        return self._carry_on(self._phase.headers_listed(request, values))

    def submitted(self) -> tuple[Step, ...]:
        """The command took the message of XTND XMIT."""
        return () if self._end_of(SubmitMessage) is None else self._carry_on((positive("message accepted"),))

    def committed(self) -> tuple[Step, ...]:
        """The deletions are on disk."""
        return () if self._end_of(Commit) is None else self._carry_on((positive("bye"), Close()))

    def refused(self, refusal: Refusal) -> tuple[Step, ...]:
        """The request failed; the session goes on unless it was the commit."""
        request = self._end_of(*_LOGINS, SendMessage, ListHeaders, SubmitMessage, Commit)
        if request is None:
            return ()
        steps = self._phase.refuse(refusal)
        return self._carry_on((*steps, Close()) if isinstance(request, Commit) else steps)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _is_listening(self) -> bool:
        if self._awaited is not None:
            raise UnexpectedCallError("a line while a request is out")
        return self._state is not State.CLOSED

    def _end_of(self, *expected: type[_R]) -> _R | None:
        """The request that is out, now ended; None when the session was closed over it."""
        if self._state is State.CLOSED:
            return None
        request = self._awaited
        if not isinstance(request, expected):
            raise UnexpectedCallError(f"a report while {type(request).__name__} is out")
        self._awaited = None
        return request

    def _carry_on(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Note what the steps mean for the session as they are handed out."""
        match steps[-1] if steps else None:
            case None | Send() | SaslCancel():
                pass
            case Close():
                self._state = State.CLOSED
                self._awaited = None
            case request:
                self._awaited = request
                if isinstance(request, Commit):
                    self._state = State.UPDATE
        return steps

    def _take_command(self, line: bytes) -> tuple[Step, ...]:
        try:
            command = parse_command(line)
            if not offers(self.policy, command):
                raise UnknownCommandError
        except CommandSyntaxError as error:
            return self._bad_command(str(error))
        phase = self._phase
        if isinstance(phase, Authorization):
            steps = phase.take(command) if isinstance(command, AuthorizationCommand) else None
        else:
            steps = phase.take(command) if isinstance(command, TransactionCommand) else None
        if steps is None:
            return self._bad_command("command not permitted now")
        self._bad_commands = 0
        return steps

    def _bad_command(self, text: str) -> tuple[Step, ...]:
        self._bad_commands += 1
        if self._bad_commands < self._phase.bad_commands_max:
            return (negative(text),)
        return negative("too many bad commands"), Close()
