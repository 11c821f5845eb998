"""Tests of popd.server.tls_facts: handshakes in memory, without a network."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from accounts.requests import ChannelBinding, Peer, SaslBegin
from accounts.wire import decode_request, encode_request
from popd.server.tls_facts import NAME_CHARACTERS_MAX, NAMES_MAX, TlsFacts, certificate_names, channel_binding, describe
from tests.unit.popd.server.certificates import Identity, make_identity

SERVER = make_identity()


def handshake(
    server: Identity = SERVER,
    client: Identity | None = None,
    *,
    verify: int = SSL.VERIFY_PEER,
    version: int = SSL.TLS1_3_VERSION,
) -> tuple[SSL.Connection, SSL.Connection]:
    server_context, client_context = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    server_context.set_max_proto_version(version)
    server.use_in(server_context)
    server_context.set_verify(verify, None)
    if client is not None:
        client.use_in(client_context)
        store = server_context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(client.certificate))
    ends = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    for _ in range(4):
        for end, other in (ends, ends[::-1]):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(65536))
    ends[0].do_handshake()
    return ends


def der(identity: Identity) -> bytes:
    return identity.certificate.public_bytes(Encoding.DER)


def test_both_ends_export_the_same_binding_and_the_client_sees_the_same_certificate() -> None:
    server, client = handshake()
    binding = channel_binding(server)
    assert binding.tls_exporter == client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    assert binding.tls_server_end_point == hashlib.sha256(der(SERVER)).digest()


def test_two_connections_have_two_exporter_bindings() -> None:
    assert channel_binding(handshake()[0]).tls_exporter != channel_binding(handshake()[0]).tls_exporter


def test_tls_1_2_has_no_exporter_binding() -> None:
    server, _ = handshake(version=SSL.TLS1_2_VERSION)
    assert channel_binding(server).tls_exporter is None
    assert channel_binding(server).tls_server_end_point is not None


def test_the_end_point_is_hashed_as_the_certificate_was() -> None:
    identity = make_identity(algorithm=hashes.SHA384())
    server, _ = handshake(identity)
    assert channel_binding(server).tls_server_end_point == hashlib.sha384(der(identity)).digest()


def test_a_certificate_without_a_hash_gives_no_end_point() -> None:
    server, _ = handshake(make_identity(key=ed25519.Ed25519PrivateKey.generate()))
    assert channel_binding(server).tls_server_end_point is None


def test_an_end_without_a_certificate_has_no_end_point() -> None:
    _, client = handshake()
    assert channel_binding(client).tls_server_end_point is None


def test_a_verified_certificate_names_its_owner() -> None:
    identity = make_identity("Fred", [x509.RFC822Name("fred@example.org"), x509.DNSName("pc.example.org")])
    server, _ = handshake(client=identity)
    assert certificate_names(server) == (
        f"sha256:{hashlib.sha256(der(identity)).hexdigest()}",
        "email:fred@example.org",
        "dns:pc.example.org",
        "subject:CN=Fred",
    )
    assert TlsFacts.of(server).certificate_names == certificate_names(server)


def test_a_certificate_with_an_empty_subject_names_none() -> None:
    identity = make_identity("", [x509.DNSName("pc.example.org")])
    server, _ = handshake(client=identity)
    assert [name.partition(":")[0] for name in certificate_names(server)] == ["sha256", "dns"]


def test_a_certificate_without_other_names_has_its_subject() -> None:
    server, _ = handshake(client=make_identity("Fred"))
    assert [name.partition(":")[0] for name in certificate_names(server)] == ["sha256", "subject"]


@pytest.mark.parametrize("names", [["pc.example.org"] * NAMES_MAX, ["a" * (NAME_CHARACTERS_MAX + 1)]])
def test_a_certificate_with_more_names_than_can_be_asked_about_names_nobody(names: list[str]) -> None:
    """Leaving some out could make an ambiguous certificate look unambiguous."""
    server, _ = handshake(client=make_identity("Fred", [x509.DNSName(name) for name in names]))
    assert certificate_names(server) == ()


def test_the_most_names_that_are_told_can_be_asked_about() -> None:
    names = ["é" * NAME_CHARACTERS_MAX] * NAMES_MAX
    begin = SaslBegin(Peer("2001:db8::1", 1), 2**53, "EXTERNAL", bytes(192), ChannelBinding(), tuple(names))
    assert decode_request(encode_request(begin)) == begin


@pytest.mark.parametrize("trouble", [x509.DuplicateExtension("twice", x509.OID_COMMON_NAME), ValueError("no DER")])
def test_a_certificate_whose_extensions_cannot_be_read_names_nobody_by_them(trouble: Exception) -> None:
    class Certificate:
        subject = x509.Name([])

        @property
        def extensions(self) -> object:
            raise trouble

        def fingerprint(self, algorithm: object) -> bytes:
            return bytes(32)

    class Connection:
        def get_peer_certificate(self, *, as_cryptography: bool) -> Certificate:
            return Certificate()

        def get_verify_mode(self) -> int:
            return SSL.VERIFY_PEER

    assert certificate_names(cast("Any", Connection())) == (f"sha256:{'00' * 32}",)


def test_no_certificate_names_nobody() -> None:
    assert certificate_names(handshake()[0]) == ()


def test_a_certificate_nobody_verified_names_nobody() -> None:
    """CVE-2019-3814 class: what was not checked is not believed."""
    server, _ = handshake(client=make_identity("Fred"))
    server.set_verify(SSL.VERIFY_NONE, None)
    assert certificate_names(server) == ()


def test_the_description_names_version_and_cipher() -> None:
    assert describe(handshake()[0]).startswith("TLSv1.3 TLS_")


@pytest.mark.parametrize("binding", [TlsFacts().binding])
def test_without_tls_there_is_nothing_to_bind_to(binding: object) -> None:
    assert binding == type(TlsFacts().binding)()
