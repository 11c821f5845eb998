"""Asks the authenticator over a channel (``serving.authenticator_shell`` is the other end)."""

from __future__ import annotations

import itertools
import socket
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from accounts.requests import (
    ApopRequest,
    AuthAnswer,
    Granted,
    Offer,
    PasswordRequest,
    RefusalReason,
    Refused,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)
from accounts.wire import WireError, decode_answer, decode_offer, encode_request
from serving.channel import ChannelError, Frame
from serving.reactor_channel import ReactorChannel

ANSWER_SECONDS: Final = 30.0  # longer than any check is given, so that late answers are the exception
_TEMPORARY: Final = Refused(RefusalReason.TEMPORARY)


@dataclass(slots=True, eq=False)
class _Question:
    answer: Deferred[AuthAnswer]
    limit: IDelayedCall


class AuthenticatorClient:
    """``serving.authentication.AuthenticationClient`` over the channel to the present authenticator.

    A new channel takes the place of the old one; what was asked over the old is answered TEMPORARY, because a password
    must not be tried twice without the client's doing.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._offer = Offer((), apop=False)
        self._channel: ReactorChannel | None = None
        self._numbers = itertools.count(1)
        self._conversations = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._first_offer: Deferred[None] | None = Deferred()

    @property
    def offer(self) -> Offer:
        """The latest offer; nothing before the first."""
        return self._offer

    def when_offered(self) -> Deferred[None]:
        """Fires when the first offer has come: before that nobody can log in. To be called once."""
        assert self._first_offer is not None
        return self._first_offer

    def connect(self, end: socket.socket) -> None:
        """Use a new authenticator from now on; the socket is ours."""
        self._lose()
        self._channel = ReactorChannel(self._reactor, end, self._receive, self._lose)

    def close(self) -> None:
        """Leave the authenticator; it frees what this worker's sessions held."""
        self._lose()

    def next_conversation(self) -> int:
        """A conversation number that this worker has not used."""
        return next(self._conversations)

    def ask(
        self, request: PasswordRequest | ApopRequest | RpopRequest | SaslBegin | SaslContinue
    ) -> Deferred[AuthAnswer]:
        """Ask and wait. Never fails: an authenticator that is gone or late answers ``Refused(TEMPORARY)``."""
        if self._channel is None:
            return succeed(_TEMPORARY)
        number = next(self._numbers)
        answer: Deferred[AuthAnswer] = Deferred(lambda _: self._answer(number, _TEMPORARY))
        self._questions[number] = _Question(
            answer, self._reactor.callLater(ANSWER_SECONDS, self._answer, number, _TEMPORARY)
        )
        self._channel.send(Frame({"number": number}, encode_request(request)))
        return answer

    def tell(self, request: SaslAbandon | SessionEnded) -> None:
        """Say something that has no answer."""
        if self._channel is not None:
            self._channel.send(Frame({"number": next(self._numbers)}, encode_request(request)))

    def _receive(self, frame: Frame) -> None:
        frame.discard()
        try:
            if "number" in frame.message:
                self._answer(frame.number("number"), decode_answer(frame.body))
            else:
                self._take_offer(decode_offer(frame.body))
        except (ChannelError, WireError):
            self._log.error("the authenticator sent what is not an answer: its channel is closed")
            self._lose()

    def _take_offer(self, offer: Offer) -> None:
        self._offer = offer
        if self._first_offer is not None and not self._first_offer.called:
            self._first_offer.callback(None)

    def _answer(self, number: int, answer: AuthAnswer) -> None:
        question = self._questions.pop(number, None)
        if question is None:
            # Late: it was answered TEMPORARY, and nobody will use what was granted.
            if isinstance(answer, Granted):
                self.tell(SessionEnded(answer.user, opened=False))
            return
        if question.limit.active():
            question.limit.cancel()
        question.answer.callback(answer)

    def _lose(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        for number in tuple(self._questions):
            self._answer(number, _TEMPORARY)
