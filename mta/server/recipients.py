"""The recipients of one connection: checked at RCPT, decided after the message, each within its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from delivery.messages import Message
from mta.server.callers import Permit
from mta.server.refusals import reply_of
from mta.server.service import LmtpService
from mta.smtp.replies import DELIVERED, NOT_IN_TIME, TRY_LATER, Reply
from mta.smtp.steps import Envelope
from serving.log_text import SHOWN_OCTETS_MAX, escaped, one_word
from spool.errors import SpoolError

PATIENCE_SECONDS: Final = 0.1
"""A recipient that is not checked in this time is taken, and the delivery decides: a client that names a thousand must
not wait long for those whose homes hang. Each that takes longer halves the time for the next, until a message came."""
CHECK_SECONDS: Final = 10.0
"""So long a check may go on when nobody waits for it any more."""


class Recipients:
    """Asks the deliveries, and turns what they say into replies and lines of the log.

    Args:
        service: what the connections share.
        peer: who is at the other end, for the log.
        permit: what they may do.
    """

    def __init__(self, service: LmtpService, peer: str, permit: Permit) -> None:
        self._service = service
        self._permit = permit
        self._peer = peer
        self._checking: Deferred[None] | None = None
        self._patience = PATIENCE_SECONDS

    def check(self, address: str, sender: str | None) -> Deferred[Reply | None]:
        """See whether a recipient is good, or may be; fires soon with the reply that refuses them, or None.

        One at a time.
        """
        try:
            self._permit(address)
        except SpoolError:
            return defer.succeed(self._refusal(address, Failure()))  # type: ignore[no-untyped-call]
        if self._service.good_recipients.knows(address, self._service.clock.seconds()):
            return succeed(None)
        self._checking = self._service.deliveries.check(address, sender)
        checked = self._checking.addTimeout(CHECK_SECONDS, self._service.clock)
        answer: Deferred[Reply | None] = Deferred()

        def too_slow() -> None:
            self._patience /= 2
            answer.callback(None)

        def over(outcome: Failure | None) -> None:
            if timer.active():
                timer.cancel()
                if outcome is None:
                    self._good(address)
                    answer.callback(None)
                else:
                    answer.callback(self._refusal(address, outcome))

        timer = self._service.clock.callLater(self._patience, too_slow)
        checked.addBoth(over)
        return answer

    def stop_checking(self) -> None:
        """Nobody waits for the answer any more."""
        if self._checking is not None:
            self._checking.cancel()

    def deliver(self, envelope: Envelope, message: Message, decided: Callable[[int, Reply], None]) -> Deferred[None]:
        """Deliver a message to each of its recipients.

        Args:
            envelope: from whom, and to whom.
            message: the message.
            decided: told the reply for each, by its number from 0, within ``[lmtp] reply_seconds``.

        Returns:
            Fires when nothing reads the message any more, which may be later.
        """
        self._patience = PATIENCE_SECONDS
        return DeferredList(
            [
                self._deliver_to(address, envelope.sender, message, number, decided)
                for number, address in enumerate(envelope.recipients)
            ]
        ).addCallback(lambda _: None)

    def _deliver_to(
        self, address: str, sender: str | None, message: Message, number: int, decided: Callable[[int, Reply], None]
    ) -> Deferred[None]:
        def too_late() -> None:
            self._tell(address, "not decided in time; it may still be delivered")
            decided(number, NOT_IN_TIME)
            delivering.cancel()  # what has not begun must not begin now, since the client will send it again

        def over(outcome: Failure | None) -> None:
            reply = DELIVERED if outcome is None else self._refusal(address, outcome)
            if outcome is None:
                self._service.totals.lmtp_delivered += 1
                self._good(address)
                self._tell(address, "delivered" if timer.active() else "delivered late; a retry will be a second copy")
            if timer.active():
                timer.cancel()
                decided(number, reply)

        timer = self._service.clock.callLater(self._service.settings.reply_seconds, too_late)
        try:
            self._permit(address)  # again, since the address may have become another's
        except SpoolError:
            return defer.fail().addBoth(over)
        # Whatever is raised is this recipient's trouble; the others' deliveries need the message.
        delivering = defer.maybeDeferred(self._service.deliveries.deliver, address, sender, message)
        return delivering.addBoth(over)

    def refused(self, address: str, reply: Reply) -> None:
        """Note that a recipient is refused a message, for what the message is and not for who they are."""
        self._service.totals.lmtp_refused += 1
        self._tell(address, f"{reply.enhanced} {reply.text}")

    def _good(self, address: str) -> None:
        self._service.good_recipients.note(address, self._service.clock.seconds())

    def _refusal(self, address: str, failure: Failure) -> Reply:
        """Say what the client may know, and log the rest."""
        self._service.good_recipients.forget(address)
        self._service.totals.lmtp_refused += 1
        match failure.value:
            case SpoolError() as error:
                self._tell(address, f"{error.status} {error}")
                return reply_of(error)
            case defer.TimeoutError() | defer.CancelledError():
                self._tell(address, "not answered in time")
                return NOT_IN_TIME
            case _:
                self._service.log.failure("a delivery broke: peer={peer}", failure, peer=self._peer)
                return TRY_LATER

    def _tell(self, address: str, outcome: str) -> None:
        # A recipient ends at a space; the outcome is the last field, and errors name what a client chose, too.
        self._service.log.info(
            "decided: peer={peer} recipient={recipient} outcome={outcome}",
            peer=self._peer,
            recipient=one_word(address[:SHOWN_OCTETS_MAX]),
            outcome=escaped(outcome).replace("=", "\\x3d"),
        )
