from __future__ import annotations

import pytest

from accounts.requests import Challenge
from accounts.sasl.external import ExternalConversation
from accounts.sasl.steps import Failed, Proven
from spool.names import UserName

YASUHI = UserName("yasuhi")


@pytest.mark.parametrize("identity", [b"yasuhi", b"Yasuhi", b"yasuhi@example.org"])
def test_the_identity_asked_for_must_be_the_proven_one(identity: bytes) -> None:
    assert ExternalConversation(YASUHI).begin(identity) == Proven(identity)


def test_without_an_identity_the_proven_one_counts() -> None:
    conversation = ExternalConversation(YASUHI)
    assert conversation.begin(None) == Challenge(b"")
    assert conversation.respond(b"") == Proven(b"yasuhi")


@pytest.mark.parametrize(
    ("identity", "claimed"), [(b"other", b"other"), (b"\xff", b""), (b"not a name", b""), (b"yasuhi\0", b"")]
)
def test_another_identity_fails(identity: bytes, claimed: bytes) -> None:
    assert ExternalConversation(YASUHI).begin(identity) == Failed(claimed)


@pytest.mark.parametrize("identity", [b"", b"yasuhi", b"root"])
def test_no_certificate_stands_for_nobody_whoever_is_named(identity: bytes) -> None:
    assert ExternalConversation(None).begin(identity) == Failed()
