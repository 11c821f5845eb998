"""The Twisted protocol of one LMTP connection."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Final, assert_never, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.server.incoming import IncomingMessage
from mta.server.recipients import Recipients
from mta.server.refusals import reply_where_not_stored
from mta.server.service import LmtpService
from mta.smtp.replies import Reply
from mta.smtp.session import Session, State
from mta.smtp.steps import (
    CheckRecipient,
    Close,
    Content,
    Deliver,
    Discard,
    Envelope,
    Refused,
    Send,
    SessionPolicy,
    StartTls,
    Step,
)
from serving.peers import uid_of_transport
from serving.transports import StreamTransport

CLOSE_SECONDS: Final = 30.0
INPUT_OCTETS_MAX: Final = 256 * 1024
"""With so much unread input a client has to wait."""
HELD_SECONDS: Final = 1.0
"""So long replies wait for those to the pipelined commands behind them."""


class Phase(enum.Enum):
    """Where a connection is."""

    OPEN = "open"
    HANDSHAKE = "handshake"
    CLOSING = "closing"
    LOST = "lost"


@implementer(IHandshakeListener, IPushProducer)
class LmtpProtocol(TwistedProtocol):
    """Speaks LMTP on one connection.

    A client that vanishes after it has sent a message may get it delivered all the same: it was promised nothing, and
    whoever sends it again delivers a second copy. That is the price of losing none (RFC 1047).
    """

    def __init__(self, service: LmtpService, policy: SessionPolicy, peer: str, ended: Callable[[], None]) -> None:
        """Prepare for one connection.

        Args:
            service: what it shares with others.
            policy: what it may do.
            peer: who is at the other end, for the log.
            ended: called when the connection is lost.
        """
        self._service = service
        self._ended = ended
        self._peer = peer
        self._session = Session(policy)
        self._phase = Phase.OPEN
        self._incoming: IncomingMessage | None = None
        self._storing = False
        self._clogged = False
        self._checking = False
        self._held: list[bytes] = []
        self._held_since = 0.0

    # -- from Twisted -------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:  # noqa: N802
        """Greet."""
        self._stream = cast("StreamTransport", self.transport)
        if ITCPTransport.providedBy(self._stream):
            # Replies to pipelined commands go out one by one, as checks answer; with Nagle's algorithm each would wait
            # for the client's acknowledgement of the one before, which is 40 ms late.
            self._stream.setTcpNoDelay(True)
            self._stream.setTcpKeepAlive(True)
        uid = uid_of_transport(self.transport)
        if uid is not None:
            self._peer = f"{self._peer}:{uid}"
        self._recipients = Recipients(self._service, self._peer, self._service.callers.permit(uid))
        self._stream.registerProducer(self, True)
        self._timer = self._service.clock.callLater(self._service.settings.idle_seconds, self._timed_out)
        self._carry_out(self._session.greet())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take in octets."""
        if self._phase is Phase.OPEN:
            self._note_activity()
            self._carry_out(self._session.receive(data))

    def handshakeCompleted(self) -> None:  # noqa: N802
        """Go on in TLS, with nothing of what was said before."""
        self._phase = Phase.OPEN
        self._session.tls_started()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802
        """Give everything back. A check is cancelled; deliveries that have begun go on."""
        self._phase = Phase.LOST
        if self._timer.active():
            self._timer.cancel()
        self._recipients.stop_checking()
        self._forget_message()
        self._ended()

    def pauseProducing(self) -> None:  # noqa: N802
        """The client does not read our replies: take no more of its commands."""
        self._clogged = True
        self._govern_reading()

    def resumeProducing(self) -> None:  # noqa: N802
        """It reads again."""
        self._clogged = False
        self._govern_reading()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is lost, which is told elsewhere."""

    def drain(self) -> None:
        """End a connection between two messages: the worker is to end. One with a message may finish it."""
        if self._phase is Phase.OPEN and self._session.state in {State.CONNECTED, State.READY}:
            self._carry_out(self._session.restarting())

    # -- steps --------------------------------------------------------------------------------------------------------

    def _carry_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            # When the connection is gone the session still has to come to the end of its steps.
            if self._phase is Phase.OPEN or self._phase is Phase.HANDSHAKE:
                self._carry_out_one(step)
        self._send_held()
        self._govern_reading()

    def _carry_out_one(self, step: Step) -> None:
        match step:
            case Send(octets):
                self._hold(octets)
            case Content(octets):
                self._message().add(octets)
            case Discard():
                self._forget_message()
            case Refused(address, reply):
                self._recipients.refused(address, reply)
            case CheckRecipient(address, sender):
                self._checking = True
                self._recipients.check(address, sender).addCallback(self._checked)
            case Deliver(envelope):
                self._deliver(envelope)
            case StartTls():
                assert self._service.tls is not None, "STARTTLS is offered only with a context"
                self._phase = Phase.HANDSHAKE
                self._send_held()
                self._stream.startTLS(self._service.tls)
            case Close():
                self._close()
            case _:
                assert_never(step)

    def _hold(self, octets: bytes) -> None:
        if not self._held:
            self._held_since = self._service.clock.seconds()
        self._held.append(octets)

    def _send_held(self) -> None:
        """Send replies in as few packets as can be (RFC 2920 section 3.2): a segment costs more than what is in it.

        While a recipient is checked, replies to what was pipelined before wait for the next ones.
        """
        if not self._held:
            return
        if self._checking and self._service.clock.seconds() - self._held_since < HELD_SECONDS:
            return
        self._stream.write(b"".join(self._held))
        self._held.clear()

    def _checked(self, refusal: Reply | None) -> None:
        self._checking = False
        if self._phase is Phase.OPEN:
            self._carry_out(self._session.recipient_checked(refusal))

    def _close(self) -> None:
        self._checking = False
        self._send_held()
        self._phase = Phase.CLOSING
        self._set_timer(CLOSE_SECONDS)
        self._stream.unregisterProducer()
        self._stream.loseConnection()

    def _note_activity(self) -> None:
        self._set_timer(self._service.settings.idle_seconds)

    def _set_timer(self, seconds: float) -> None:
        if self._timer.active():
            self._timer.reset(seconds)
        else:
            self._timer = self._service.clock.callLater(seconds, self._timed_out)

    def _timed_out(self) -> None:
        if self._phase is Phase.OPEN and not self._clogged:
            self._carry_out(self._session.timed_out())
        else:
            self._abort()

    def _abort(self) -> None:
        self._phase = Phase.CLOSING
        self._stream.abortConnection()

    # -- the message --------------------------------------------------------------------------------------------------

    def _message(self) -> IncomingMessage:
        if self._incoming is None:
            self._incoming = IncomingMessage(self._service.in_thread)
        return self._incoming

    def _forget_message(self) -> None:
        message, self._incoming = self._incoming, None
        if message is not None:
            message.close()

    def _govern_reading(self) -> None:
        """Leave input with the client while it does not read, too much of its input waits, or a message is stored."""
        if self._phase is not Phase.OPEN:
            return
        if self._incoming is not None and self._incoming.full and not self._storing:
            self._store(self._incoming)
        if self._storing or self._clogged or self._session.pending > INPUT_OCTETS_MAX:
            self._stream.pauseProducing()
        else:
            self._stream.resumeProducing()

    def _store(self, message: IncomingMessage) -> None:
        """Store what came of a message so far, and leave the rest with the client meanwhile."""
        self._storing = True

        def stored(_: object) -> None:
            self._storing = False
            self._govern_reading()

        message.store().addCallback(stored)

    def _deliver(self, envelope: Envelope) -> None:
        self._set_timer(self._service.settings.reply_seconds + CLOSE_SECONDS)
        Deferred.fromCoroutine(self._deliver_to_each(envelope, self._message())).addErrback(self._broken)

    async def _deliver_to_each(self, envelope: Envelope, incoming: IncomingMessage) -> None:
        await incoming.store()
        self._incoming = None
        message = incoming.finish()
        if message is None:
            self._service.log.error("a message was not stored: peer={peer} {why}", peer=self._peer, why=incoming.broken)
            incoming.close()
            for number in range(len(envelope.recipients)):
                self._decided(number, reply_where_not_stored(incoming.broken))
            return
        try:
            await self._recipients.deliver(envelope, message, self._decided)
        finally:
            message.close()

    def _decided(self, number: int, reply: Reply) -> None:
        if self._phase is Phase.OPEN:
            self._note_activity()
            self._carry_out(self._session.decided(number, reply))

    def _broken(self, failure: Failure) -> None:
        """Drop the connection: where even the answer went wrong, none can be trusted."""
        self._service.log.failure("connection broken off: peer={peer}", failure, peer=self._peer)
        self._abort()
