from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from accounts.credentials import Credentials
from accounts.mechanisms import DecoyKeys, Opening, offered_mechanisms, open_conversation
from accounts.requests import Challenge, ChannelBinding, Peer, SaslBegin
from accounts.sasl.external import ExternalConversation
from accounts.sasl.passwords import LoginConversation, PlainConversation
from accounts.sasl.scram import ScramConversation
from accounts.sasl.steps import Failed, Proven, SaslStep
from accounts.schemes.scram_keys import DEFAULT_ITERATIONS
from accounts.settings import MECHANISMS, AuthSettings

DECOYS = DecoyKeys(os.urandom)
NO_CREDENTIALS = Credentials.in_directory(Path("/nonexistent"))


def opening(mechanism: str, binding: ChannelBinding | None = None) -> Opening:
    request = SaslBegin(Peer("192.0.2.1", 1, tls=True), 1, mechanism, None, binding or ChannelBinding())
    return Opening(request, MECHANISMS, NO_CREDENTIALS, DECOYS.of, lambda count: b"\xff" * count)


def test_scram_is_offered_where_its_verifier_is_listed() -> None:
    settings = AuthSettings(schemes=("ARGON2ID", "SCRAM-SHA-256"))
    assert offered_mechanisms(settings, certificates=False) == (
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "PLAIN",
        "LOGIN",
    )
    assert offered_mechanisms(AuthSettings(), certificates=False) == ("PLAIN", "LOGIN")


def test_external_is_offered_where_a_certificate_is_mapped_and_the_order_is_the_settings() -> None:
    settings = AuthSettings(mechanisms=("PLAIN", "EXTERNAL"))
    assert offered_mechanisms(settings, certificates=True) == ("PLAIN", "EXTERNAL")
    assert offered_mechanisms(settings, certificates=False) == ("PLAIN",)


@pytest.mark.parametrize(
    ("mechanism", "kind"),
    [
        ("PLAIN", PlainConversation),
        ("LOGIN", LoginConversation),
        ("EXTERNAL", ExternalConversation),
        ("SCRAM-SHA-1", ScramConversation),
        ("SCRAM-SHA-256-PLUS", ScramConversation),
    ],
)
def test_every_mechanism_opens_its_conversation(mechanism: str, kind: type) -> None:
    assert isinstance(open_conversation(opening(mechanism)), kind)


def test_a_nonce_is_printable_and_starts_with_the_clients() -> None:
    challenge = open_conversation(opening("SCRAM-SHA-256")).begin(b"n,,n=user,r=CLIENT")
    assert isinstance(challenge, Challenge)
    assert challenge.data.startswith(b"r=CLIENT//////////////////////")


@pytest.mark.parametrize(
    ("mechanism", "binding", "message", "accepted"),
    [
        ("SCRAM-SHA-256", ChannelBinding(), b"y,,n=user,r=x", True),
        ("SCRAM-SHA-256", ChannelBinding(tls_exporter=b"e"), b"y,,n=user,r=x", False),
        ("SCRAM-SHA-1", ChannelBinding(tls_server_end_point=b"e"), b"y,,n=user,r=x", False),
        ("SCRAM-SHA-256-PLUS", ChannelBinding(tls_exporter=b"e"), b"p=tls-exporter,,n=user,r=x", True),
        ("SCRAM-SHA-256-PLUS", ChannelBinding(), b"p=tls-exporter,,n=user,r=x", False),
    ],
)
def test_channel_binding_is_what_the_connection_has(
    mechanism: str, binding: ChannelBinding, message: bytes, accepted: bool
) -> None:
    step = open_conversation(opening(mechanism, binding)).begin(message)
    assert isinstance(step, Challenge if accepted else Failed)


def test_decoy_keys_are_always_the_same_for_a_name() -> None:
    assert DECOYS.of(b"nobody", "SCRAM-SHA-256") == DECOYS.of(b"nobody", "SCRAM-SHA-256")
    assert DECOYS.of(b"nobody", "SCRAM-SHA-256").salt != DECOYS.of(b"other", "SCRAM-SHA-256").salt
    assert DECOYS.of(b"nobody", "SCRAM-SHA-256").salt != DECOYS.of(b"nobody", "SCRAM-SHA-1").salt
    assert DECOYS.of(b"nobody", "SCRAM-SHA-1").iterations == DEFAULT_ITERATIONS
    assert len(DECOYS.of(b"nobody", "SCRAM-SHA-1").stored_key) == 20


@pytest.mark.parametrize(("tls", "step"), [(True, Proven(b"yasuhi")), (False, Failed())])
def test_a_certificate_counts_inside_tls_only(tmp_path: Path, tls: bool, step: SaslStep) -> None:
    (tmp_path / "certificates").write_text("email:yasuhi@example.org:yasuhi\n")
    (tmp_path / "certificates").chmod(0o644)
    peer = Peer("192.0.2.1", 1, tls=tls)
    request = SaslBegin(peer, 1, "EXTERNAL", b"", certificate_names=("email:yasuhi@example.org",))
    mapped = dataclasses.replace(opening("EXTERNAL"), request=request, credentials=Credentials.in_directory(tmp_path))
    assert open_conversation(mapped).begin(b"") == step
