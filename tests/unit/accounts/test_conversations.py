from __future__ import annotations

from accounts.conversations import LIFETIME_SECONDS, Conversations, Waiting
from accounts.requests import Peer
from accounts.sasl.passwords import LoginConversation

PEER = Peer("192.0.2.1", 1)


def waiting(began: float = 0.0) -> Waiting:
    return Waiting(LoginConversation(), PEER, began)


def test_a_conversation_is_found_until_it_is_removed() -> None:
    conversations, one = Conversations(), waiting()
    assert conversations.add((1, 1), one)
    assert conversations.get((1, 1), 1.0) is one
    assert conversations.get((2, 1), 1.0) is None
    conversations.remove((1, 1))
    conversations.remove((1, 1))
    assert conversations.get((1, 1), 1.0) is None


def test_when_there_is_no_room_those_under_way_go_on() -> None:
    conversations = Conversations(conversations_max=1)
    conversations.add((1, 1), waiting())
    assert not conversations.add((2, 1), waiting())
    assert conversations.get((1, 1), 1.0) is not None


def test_an_old_conversation_makes_room() -> None:
    conversations = Conversations(conversations_max=1)
    conversations.add((1, 1), waiting())
    assert conversations.get((1, 1), LIFETIME_SECONDS + 1) is None
    conversations.add((1, 1), waiting())
    assert conversations.add((2, 1), waiting(LIFETIME_SECONDS + 1))


def test_conversations_go_with_their_worker() -> None:
    conversations = Conversations()
    for key in ((1, 1), (1, 2), (2, 1)):
        conversations.add(key, waiting())
    conversations.worker_gone(1)
    assert len(conversations) == 1
