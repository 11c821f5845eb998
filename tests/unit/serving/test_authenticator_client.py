"""Tests of serving.authenticator_client against a channel whose other end the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from accounts.requests import AuthAnswer, Granted, PasswordRequest, Peer, RefusalReason, Refused, SessionEnded
from accounts.wire import decode_request, encode_answer
from serving.authenticator_client import ANSWER_SECONDS, AuthenticatorClient
from serving.channel import Channel, Frame, socket_pair
from spool.names import UserName
from tests.unit.serving.loop import SECONDS, Loop

REQUEST = PasswordRequest(Peer("192.0.2.7", 1022), b"fred", b"secret")
FRED = Granted(UserName("fred"), 1000, 1000, Path("/home/fred"))


class Ends:
    """A client and the authenticator's end of its channel; the test advances the client's time."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.clock = Clock()
        self.loop.reactor.callLater = self.clock.callLater
        ours, theirs = socket_pair()
        theirs.settimeout(SECONDS)
        self.authenticator = Channel(theirs)
        self.client = AuthenticatorClient(self.loop.reactor)
        self.client.connect(ours)

    def question(self) -> int:
        frame = self.authenticator.receive()
        assert frame is not None
        assert decode_request(frame.body) == REQUEST
        return frame.number("number")


@pytest.fixture
def ends() -> Iterator[Ends]:
    found = Ends()
    yield found
    found.client.close()
    found.authenticator.close()


def test_an_answer_goes_to_its_question(ends: Ends) -> None:
    answer = ends.client.ask(REQUEST)
    ends.authenticator.send(Frame({"number": ends.question()}, encode_answer(FRED)))
    assert ends.loop.wait(answer) == FRED


def test_a_grant_that_comes_too_late_is_given_back(ends: Ends) -> None:
    answers: list[AuthAnswer] = []
    ends.client.ask(REQUEST).addCallback(answers.append)
    number = ends.question()
    ends.clock.advance(ANSWER_SECONDS)
    assert answers == [Refused(RefusalReason.TEMPORARY)]
    ends.authenticator.send(Frame({"number": number}, encode_answer(FRED)))
    ends.loop.reactor.iterate(0.1)
    told = ends.authenticator.receive()
    assert told is not None
    assert decode_request(told.body) == SessionEnded(FRED.user, opened=False)
