from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from serving.certificates import TlsMaterial, make_self_signed
from serving.tls import ServerTls, tls_factory

CERTIFICATE, KEY = make_self_signed("localhost")


@implementer(IHandshakeListener)
class Greeter(Protocol):
    """Notes what happens to it, and greets after the handshake."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def connectionMade(self) -> None:  # noqa: N802
        self.happened.append("connection")

    def handshakeCompleted(self) -> None:  # noqa: N802
        self.happened.append("handshake")
        assert self.transport is not None
        self.transport.write(b"+OK\r\n")


class Connection:
    """A client of the standard library at one end, the server through ``tls_factory`` at the other."""

    def __init__(self, tls: ServerTls, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.clock = Clock()
        self.greeter = Greeter()
        factory = tls_factory(tls, Factory.forProtocol(lambda: self.greeter), self.clock)
        self.server = cast("Any", factory.buildProtocol(None))
        self.transport: Any = StringTransport()  # type: ignore[no-untyped-call]
        self.server.makeConnection(self.transport)
        self.to_client, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.to_client, self.to_server, server_hostname="localhost", session=session)

    def exchange(self) -> None:
        """Carry octets both ways until both ends are silent."""
        while True:
            self.clock.advance(1)
            received, sent = self.transport.value(), self.to_server.read()
            if not received and not sent:
                return
            self.transport.clear()
            self.to_client.write(received)
            if sent and not self.transport.disconnecting:
                self.server.dataReceived(sent)

    def greeting(self) -> bytes:
        """Shake hands and read the greeting."""
        while True:
            try:
                return self.client.read()
            except ssl.SSLWantReadError:
                self.exchange()
                if not self.to_client.pending:
                    raise


def client_context(ca_pem: bytes = CERTIFICATE) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca_pem.decode())


def issue(name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None) -> tuple[bytes, bytes]:
    """Make a certificate and key: an authority without an issuer, else a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def issuer_of(certificate: bytes, key: bytes) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    private_key = serialization.load_pem_private_key(key, None)
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(certificate).subject, private_key


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_shakes_hands_and_is_greeted(version: ssl.TLSVersion) -> None:
    context = client_context()
    context.minimum_version = context.maximum_version = version
    connection = Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), context)
    assert connection.greeting() == b"+OK\r\n"
    assert connection.client.version() == version.name.replace("_", ".")
    assert connection.client.compression() is None


def test_the_wrapped_protocol_is_connected_before_the_handshake() -> None:
    connection = Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), client_context())
    assert connection.greeter.happened == ["connection"]
    connection.greeting()
    assert connection.greeter.happened == ["connection", "handshake"]


def test_a_protocol_can_end_the_connection_before_the_handshake() -> None:
    connection = Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), client_context())
    assert connection.greeter.transport is not None
    connection.greeter.transport.loseConnection()
    assert connection.transport.disconnected


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_before_1_2_are_refused() -> None:
    context = client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), context).greeting()


def test_a_cipher_without_forward_secrecy_is_refused() -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-GCM-SHA384")
    with pytest.raises(ssl.SSLError):
        Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), context).greeting()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_its_ticket(version: ssl.TLSVersion) -> None:
    tls, context = ServerTls(TlsMaterial(CERTIFICATE, KEY)), client_context()
    context.minimum_version = context.maximum_version = version
    first = Connection(tls, context)
    first.greeting()
    second = Connection(tls, context, first.client.session)
    second.greeting()
    assert second.client.session_reused


def test_a_ticket_does_not_outlive_the_context_that_issued_it() -> None:
    context = client_context()
    first = Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), context)
    first.greeting()
    second = Connection(ServerTls(TlsMaterial(CERTIFICATE, KEY)), context, first.client.session)
    assert second.greeting() == b"+OK\r\n"
    assert not second.client.session_reused


def test_the_whole_chain_is_sent() -> None:
    authority, authority_key = issue("authority", None)
    certificate, key = issue("localhost", issuer_of(authority, authority_key))
    context = client_context(authority)
    context.check_hostname = False
    connection = Connection(ServerTls(TlsMaterial(certificate + authority, key)), context)
    assert connection.greeting() == b"+OK\r\n"
    assert len(connection.client._sslobj.get_unverified_chain()) == 2  # type: ignore[attr-defined]


AUTHORITY = issue("authority", None)


class TestClientCertificates:
    """A server that asks for certificates of one authority."""

    @pytest.fixture
    def tls(self) -> ServerTls:
        return ServerTls(TlsMaterial(CERTIFICATE, KEY, AUTHORITY[0]))

    def context_with(self, directory: Path, certificate: bytes, key: bytes) -> ssl.SSLContext:
        path = directory / "client.pem"
        path.write_bytes(certificate + key)
        context = client_context()
        context.load_cert_chain(path)
        return context

    def test_a_client_without_one_is_served(self, tls: ServerTls) -> None:
        assert Connection(tls, client_context()).greeting() == b"+OK\r\n"

    def test_a_good_one_is_known_after_the_handshake(self, tls: ServerTls, tmp_path: Path) -> None:
        context = self.context_with(tmp_path, *issue("alice", issuer_of(*AUTHORITY)))
        connection = Connection(tls, context)
        connection.greeting()
        assert connection.greeter.transport is not None
        certificate = connection.greeter.transport.getHandle().get_peer_certificate(as_cryptography=True)  # type: ignore[attr-defined]
        assert certificate.subject.rfc4514_string() == "CN=alice"

    def test_one_of_another_authority_ends_the_handshake(self, tls: ServerTls, tmp_path: Path) -> None:
        context = self.context_with(tmp_path, *issue("alice", issuer_of(*issue("authority", None))))
        connection = Connection(tls, context)
        with pytest.raises(ssl.SSLError):
            connection.greeting()
        assert connection.greeter.happened == ["connection"]
        assert connection.transport.disconnecting

    def test_each_handshake_is_a_full_one(self, tls: ServerTls) -> None:
        context = client_context()
        first = Connection(tls, context)
        first.greeting()
        second = Connection(tls, context, first.client.session)
        second.greeting()
        assert not second.client.session_reused
