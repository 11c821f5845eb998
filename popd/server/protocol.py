"""One POP3 connection: lines in, steps carried out, octets out, and how long each may take.

A connection is in one *phase*:

* HANDSHAKE: TLS is being agreed on, at the start of an implicit-TLS connection or after STLS. Nothing is read.
* OPEN: the protocol core is fed one line at a time, and only while it waits for nothing, no request is being carried
  out, and the peer takes what was written. Pipelined commands wait in the line buffer, and past a limit in the kernel.
  A peer may end its input and still listen, as ``printf … | nc -N`` does: what it sent is done, then it is closed.
* CLOSING: the last octets are on their way; whatever still comes in is dropped.
* LOST: the peer is gone. What the session held is given back; a commit already begun finishes first.

One timer runs in every phase but LOST, and what its end means depends on the phase (``_timed_out``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Final, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from accounts.requests import Peer
from popd.pop3.session import Session
from popd.pop3.states import State
from popd.pop3.steps import Close, SaslCancel, Send, SendMessage, SessionPolicy, StartTls, Step
from popd.server import tls_facts
from popd.server.events import SessionLog
from popd.server.outlet import Outlet
from popd.server.service import Pop3Service
from popd.server.work import LongRequest, SessionWork
from serving.lines import LineBuffer, LineTooLongError
from serving.peers import UNIX_ADDRESS
from serving.transports import StreamTransport

HANDSHAKE_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 120.0  # for a slow peer to take its last reply, and to answer TLS's close_notify
WORK_SECONDS: Final = 5.0  # how soon to look again when the time was over while the delay was ours
INPUT_OCTETS_MAX: Final = 64 * 1024  # of pipelined commands waiting; more stay in the kernel
COMMANDS_PER_TURN: Final = 50  # then other connections get theirs
_RESTARTING: Final = b"-ERR [SYS/TEMP] the service is restarting, try again\r\n"


class Phase(enum.Enum):
    """Where a connection is; see above."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSING = "closing"
    LOST = "lost"


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class Pop3Protocol(TwistedProtocol):
    """The Twisted protocol of one connection."""

    def __init__(self, service: Pop3Service, policy: SessionPolicy, peer: Peer, ended: Callable[[], None]) -> None:
        """Prepare for one connection.

        Args:
            service: what it shares with others.
            policy: what it may do; ``tls_active`` says that it begins with a handshake.
            peer: who is at the other end.
            ended: called when the connection is lost.
        """
        self._service = service
        self._peer = peer
        self._ended = ended
        self._log = SessionLog(service.log, peer)
        self._session = Session(policy)
        self._phase = Phase.HANDSHAKE if policy.tls_active else Phase.OPEN
        self._lines = LineBuffer()
        self._request: Deferred[None] | None = None
        self._reason: str | None = None
        self._busy = False
        self._pumping = False
        self._reading = True
        self._input_ended = False

    # -- from Twisted -------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:  # noqa: N802
        """Greet, or wait for the handshake of an implicit-TLS connection."""
        self._stream = cast("StreamTransport", self.transport)
        if self._peer.address != UNIX_ADDRESS:
            self._stream.setTcpNoDelay(True)
            self._stream.setTcpKeepAlive(True)
        self._outlet = Outlet(self._stream, self._outlet_changed)
        self._work = SessionWork(self._service, self._session, self._outlet, self._peer, self._log)
        seconds = HANDSHAKE_SECONDS if self._phase is Phase.HANDSHAKE else self._service.settings.login_seconds
        self._timer = self._service.clock.callLater(seconds, self._timed_out)
        if self._phase is Phase.OPEN:
            self._carry_out(self._session.greet())

    def handshakeCompleted(self) -> None:  # noqa: N802
        """Begin (implicit TLS), or begin anew (STLS)."""
        connection = self._stream.getHandle()
        self._log.tls_started(tls_facts.describe(connection))
        self._work.tls_started(connection)
        self._phase = Phase.OPEN
        self._set_timer(self._service.settings.login_seconds)
        self._carry_out(self._session.tls_started() if self._session.waiting else self._session.greet())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take in octets, and commands as far as they may be taken now."""
        if self._phase is Phase.OPEN:
            self._lines.append(data)
            self._pump()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """Give everything back. Nothing is committed, but for a commit already begun: that finishes."""
        self._phase = Phase.LOST
        if self._timer.active():
            self._timer.cancel()
        if not self._work.committing:
            if self._request is not None:
                self._request.cancel()
            self._work.give_up()
        self._log.ended(self._work.user, self._work.counts, self._reason or type(reason.value).__name__)
        self._ended()

    def readConnectionLost(self) -> None:  # noqa: N802
        """Nothing more will come in; TLS has no such thing, there it is the end. Without QUIT nothing is committed."""
        self._input_ended = True
        self._pump()

    def writeConnectionLost(self) -> None:  # noqa: N802
        """Is not called: nothing here ends the output alone."""

    def drain(self) -> None:
        """Close a connection that is not logged in: the worker is to end. A session ends as its client likes.

        The client takes what it is told here as the answer to its next command, and so as a reason to try again.
        """
        if self._phase is Phase.HANDSHAKE:
            self._abort("drained")
        elif self._phase is Phase.OPEN and not self._busy and self._session.state is State.AUTHORIZATION:
            self._outlet.write(_RESTARTING)
            self._close()

    # -- lines --------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Feed lines while the session may take them. A request that ends at once comes here again and turns back."""
        if self._pumping:
            return
        self._pumping = True
        taken = 0
        while taken < COMMANDS_PER_TURN and self._takes_lines() and self._take_line():
            taken += 1
        self._pumping = False
        if taken == COMMANDS_PER_TURN:
            self._service.clock.callLater(0, self._pump)
        elif self._input_ended and self._takes_lines():
            self._reason = "end of input"
            self._close()
        if self._phase is Phase.OPEN:
            self._govern_reading()

    def _takes_lines(self) -> bool:
        return self._phase is Phase.OPEN and not self._busy and not self._outlet.paused

    def _take_line(self) -> bool:
        try:
            line = self._lines.next_line(self._session.line_octets_max)
        except LineTooLongError:
            self._carry_out(self._session.line_too_long())
            return True
        if line is None:
            return False
        self._note_activity()
        self._carry_out(self._session.receive(line))
        return True

    def _govern_reading(self) -> None:
        """Leave input in the kernel, and in the end with the peer, while enough of it waits here."""
        reading = self._lines.pending <= INPUT_OCTETS_MAX
        if reading is not self._reading:
            self._reading = reading
            if reading:
                self._stream.resumeProducing()
            else:
                self._stream.pauseProducing()

    # -- steps --------------------------------------------------------------------------------------------------------

    def _carry_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Send(octets):
                    self._outlet.write(octets)
                case Close():
                    self._close()
                case SaslCancel():
                    self._work.abandon_sasl()
                case StartTls():
                    self._start_tls()
                case SendMessage() if self._work.send_at_hand(step):
                    self._carry_out(self._session.message_sent())
                case _:
                    self._begin(step)

    def _begin(self, request: LongRequest) -> None:
        self._busy = True
        performed = Deferred.fromCoroutine(self._work.perform(request)).addErrback(self._failed)
        self._request = performed.addCallback(self._done).addErrback(self._broken)

    def _failed(self, failure: Failure) -> tuple[Step, ...]:
        if self._phase is Phase.LOST and isinstance(failure.value, CancelledError):
            return ()
        refusal = self._work.refusal_of(failure)
        if self._work.in_the_middle:
            self._abort("broken off")
            return ()
        return self._session.refused(refusal)

    def _done(self, steps: tuple[Step, ...]) -> None:
        self._busy = False
        if self._phase is Phase.OPEN:
            self._note_activity()
            self._carry_out(steps)
            self._pump()

    def _broken(self, failure: Failure) -> None:
        """Drop the connection: where even the answer went wrong, none can be trusted."""
        self._log.broken(failure)
        self._abort("broken off")

    def _start_tls(self) -> None:
        """Start TLS, unless commands were smuggled in to be read after the handshake (CVE-2011-0411)."""
        if self._lines.pending:
            self._log.injection(self._lines.pending)
            self._reason = "injection"
            self._close()
            return
        assert self._service.tls is not None, "STLS is offered only with a context"
        self._phase = Phase.HANDSHAKE
        self._set_timer(HANDSHAKE_SECONDS)
        self._stream.startTLS(self._service.tls)

    def _close(self) -> None:
        self._phase = Phase.CLOSING
        self._lines.clear()
        self._set_timer(CLOSE_SECONDS)
        self._outlet.close()

    def _abort(self, reason: str) -> None:
        """Drop the connection and what was written; Twisted may say only later that it is lost."""
        self._phase = Phase.CLOSING
        self._reason = reason
        self._stream.abortConnection()

    # -- time ---------------------------------------------------------------------------------------------------------

    def _outlet_changed(self) -> None:
        self._note_activity()
        if not self._outlet.paused:
            self._pump()

    def _note_activity(self) -> None:
        """Begin the idle time anew. Before the login there is none: that time is for all of it."""
        if self._session.state is State.TRANSACTION and self._phase is Phase.OPEN:
            self._set_timer(self._service.settings.idle_seconds)

    def _set_timer(self, seconds: float) -> None:
        if self._timer.active():
            self._timer.reset(seconds)
        else:
            self._timer = self._service.clock.callLater(seconds, self._timed_out)

    def _timed_out(self) -> None:
        if self._phase is not Phase.OPEN:
            self._abort(f"timed out, {self._phase.value}")
        elif self._outlet.paused:
            self._abort("timed out, not reading")  # not even one buffer of what it asked for
        elif self._busy:
            self._set_timer(WORK_SECONDS)
        else:
            self._reason = "timed out, idle"
            self._carry_out(self._session.timed_out())
