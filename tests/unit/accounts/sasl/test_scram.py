from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.requests import Challenge, ChannelBinding
from accounts.sasl.scram import Binding, ScramConversation
from accounts.sasl.steps import Failed, Proven
from accounts.schemes.scram_keys import ScramKeys

NONE = Binding(ChannelBinding(), required=False, offered=False)
TLS = ChannelBinding(tls_exporter=b"exported", tls_server_end_point=b"end point")
KEYS = ScramKeys.derive("SCRAM-SHA-256", b"pencil", b"salt", 2)


def talk(binding: Binding = NONE, keys: ScramKeys = KEYS, server_nonce: bytes = b"SERVER") -> ScramConversation:
    return ScramConversation(lambda _name: keys, binding, server_nonce)


def client_final(
    server_first: bytes,
    *,
    password: bytes = b"pencil",
    header: bytes = b"n,,",
    bare: bytes = b"n=user,r=CLIENT",
    nonce: bytes | None = None,
    extension: bytes = b"",
) -> bytes:
    """What a client that keeps RFC 5802 answers."""
    fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
    keyed = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
    key = hmac.digest(keyed, b"Client Key", "sha256")
    without_proof = b"c=%b,r=%b%b" % (base64.b64encode(header), nonce or fields[b"r"], extension)
    signature = hmac.digest(hashlib.sha256(key).digest(), b",".join((bare, server_first, without_proof)), "sha256")
    return without_proof + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))


def first(conversation: ScramConversation, message: bytes = b"n,,n=user,r=CLIENT") -> bytes:
    challenge = conversation.begin(message)
    assert isinstance(challenge, Challenge)
    return challenge.data


def test_the_sample_of_rfc_5802() -> None:
    keys = ScramKeys.derive("SCRAM-SHA-1", b"pencil", base64.b64decode("QSXCR+Q6sek8bf92"), 4096)
    conversation = talk(keys=keys, server_nonce=b"3rfcNHYJY1ZVvWVs7j")
    assert first(conversation, b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL") == (
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    )
    final = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    assert conversation.respond(final) == Challenge(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    assert conversation.respond(b"") == Proven(b"user")


def test_the_sample_of_rfc_7677() -> None:
    keys = ScramKeys.derive("SCRAM-SHA-256", b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    conversation = talk(keys=keys, server_nonce=b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert first(conversation, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert conversation.respond(final) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert conversation.respond(b"") == Proven(b"user")


def test_a_client_may_wait_for_an_empty_challenge() -> None:
    conversation = talk()
    assert conversation.begin(None) == Challenge(b"")
    assert isinstance(conversation.respond(b"n,,n=user,r=CLIENT"), Challenge)


def test_names_are_unescaped_and_prepared() -> None:
    names: list[bytes] = []

    def keys_of(name: bytes) -> ScramKeys:
        names.append(name)
        return KEYS

    ScramConversation(keys_of, NONE, b"S").begin("n,,n=a=2Cb=3Dc\u00add,r=x".encode())
    assert names == [b"a,b=cd"]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,n=user,r=x",
        b"x,,n=user,r=x",
        b"n,,n=,r=x",
        b"n,,n=user,r=",
        b"n,,n=user",
        b"n,,r=x,n=user",
        b"n,,m=must,n=user,r=x",
        b"n,,n=us=er,r=x",
        b"n,,n=us=2c,r=x",
        b"n,,n=\xff,r=x",
        b"n,,n=a\x07b,r=x",
        b"n,,n=\xc2\xad,r=x",
        b"n,a==,n=user,r=x",
        b"n,,n=user,r=a\x7fb",
        b"n,,n=user,r=" + b"x" * 513,
        b"p=,,n=user,r=x",
    ],
)
def test_a_malformed_first_message_fails(message: bytes) -> None:
    assert talk().begin(message) == Failed()


def test_acting_for_somebody_else_fails_and_for_oneself_does_not() -> None:
    assert talk().begin(b"n,a=root,n=user,r=x") == Failed(b"user")
    conversation = talk()
    server_first = first(conversation, b"n,a=user,n=user,r=CLIENT")
    assert conversation.respond(client_final(server_first, header=b"n,a=user,")) != Failed(b"user")


@pytest.mark.parametrize(
    ("message", "binding"),
    [
        (b"y,,n=user,r=x", Binding(TLS, required=False, offered=True)),
        (b"y,,n=user,r=x", Binding(TLS, required=True, offered=True)),
        (b"n,,n=user,r=x", Binding(TLS, required=True, offered=True)),
        (b"p=tls-exporter,,n=user,r=x", Binding(TLS, required=False, offered=True)),
        (b"p=tls-unique,,n=user,r=x", Binding(TLS, required=True, offered=True)),
        (b"p=tls-exporter,,n=user,r=x", Binding(ChannelBinding(), required=True, offered=True)),
        (b"p=tls-server-end-point,,n=user,r=x", Binding(ChannelBinding(), required=True, offered=True)),
    ],
)
def test_a_downgrade_or_a_foreign_binding_fails(message: bytes, binding: Binding) -> None:
    assert talk(binding).begin(message) == Failed(b"user")


@pytest.mark.parametrize(
    ("header", "data", "binding"),
    [
        (b"n,,", b"", Binding(TLS, required=False, offered=True)),
        (b"y,,", b"", Binding(ChannelBinding(), required=False, offered=False)),
        (b"p=tls-exporter,,", b"exported", Binding(TLS, required=True, offered=True)),
        (b"p=tls-server-end-point,,", b"end point", Binding(TLS, required=True, offered=True)),
    ],
)
def test_the_binding_of_this_connection_is_accepted_and_no_other(header: bytes, data: bytes, binding: Binding) -> None:
    for sent, accepted in ((header + data, True), (header + data + b"x", False), (b"n,,x", False)):
        conversation = talk(binding)
        answer = conversation.respond(client_final(first(conversation, header + b"n=user,r=CLIENT"), header=sent))
        assert isinstance(answer, Challenge) is accepted


def test_unknown_optional_extensions_are_passed_over() -> None:
    conversation = talk()
    bare = b"n=user,r=CLIENT,x=1,y=2"
    server_first = first(conversation, b"n,," + bare)
    assert isinstance(conversation.respond(client_final(server_first, bare=bare, extension=b",z=3")), Challenge)


def test_a_wrong_password_fails_without_a_signature() -> None:
    conversation = talk()
    assert conversation.respond(client_final(first(conversation), password=b"pen")) == Failed(b"user")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"c=biws,r=CLIENTSERVER",
        b"c=biws,r=CLIENTSERVER,p=",
        b"c=biws,r=CLIENTSERVER,p=!",
        b"c=biws,r=CLIENTSERVER,p=AAA",
        b"c=biw,r=CLIENTSERVER,p=AAAA",
        b"c=biws,r=CLIENTSERVER,p=AAAA",
        b"r=CLIENTSERVER,c=biws,p=AAAA",
        b"c=biws,r=CLIENTSERVER,p=AAAA,x=1",
    ],
)
def test_a_malformed_final_message_fails(message: bytes) -> None:
    conversation = talk()
    first(conversation)
    assert conversation.respond(message) == Failed(b"user")


def test_another_nonce_fails() -> None:
    conversation = talk()
    assert conversation.respond(client_final(first(conversation), nonce=b"CLIENTOTHER")) == Failed(b"user")


def test_the_signature_must_be_answered_with_nothing() -> None:
    conversation = talk()
    conversation.respond(client_final(first(conversation)))
    assert conversation.respond(b"*") == Failed(b"user")


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=60) | st.just(b"n,,n=user,r=x"), max_size=4))
def test_no_octets_prove_anything(messages: list[bytes]) -> None:
    conversation = talk()
    steps = [conversation.begin(None), *(conversation.respond(message) for message in messages)]
    assert not any(isinstance(step, Proven) for step in steps)
