"""The server side of TLS: one context for each listener, used by implicit TLS and STLS alike.

TLS 1.2 and 1.3 (RFC 8996, RFC 8314 section 4); with 1.2 only ephemeral ECDH and authenticated encryption. There is no
compression (CRIME) and no renegotiation.

Resumption is by session tickets, which Twisted's own options leave off: a mail client that polls every few minutes then
spares both sides the signature. OpenSSL encrypts tickets with a key that is random in each context and never leaves
it, so that a ticket is good for its worker only, for ``TICKET_SECONDS``, and until the certificate is loaded anew. No
session is kept in memory. Where client certificates are asked for there is no resumption, so that each handshake looks
at the certificate.

A certificate is replaced by making a new context from new material; connections that are open keep the old one.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory, IReactorTime
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from serving.certificates import TlsMaterial

TICKET_SECONDS: Final = 2 * 3600
_TLS12_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_OPTIONS: Final = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_SINGLE_ECDH_USE
)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the server side of TLS connections; what ``startTLS`` and ``tls_factory`` take."""

    def __init__(self, material: TlsMaterial) -> None:
        self._context = _make_context(material)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002, N802, N803
        """``IOpenSSLServerConnectionCreator.serverConnectionForTLS``."""
        return SSL.Connection(self._context, None)


def tls_factory(tls: ServerTls, factory: IProtocolFactory, clock: IReactorTime) -> TLSMemoryBIOFactory:
    """Put TLS between a listening port and a factory whose connections begin with a handshake (RFC 8314).

    The wrapped factory's ``buildProtocol`` is asked, and its protocol's ``connectionMade`` is called, when the
    connection is accepted: so limits apply before the handshake, and the protocol's timer covers it. A protocol that
    closes its transport before the handshake aborts the connection. The end of the handshake is told to a protocol that
    is an ``IHandshakeListener``.
    """
    return TLSMemoryBIOFactory(tls, isClient=False, wrappedFactory=factory, clock=clock)


def _make_context(material: TlsMaterial) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB less for an idle connection, says SSL_CTX_set_mode(3)
    context.set_cipher_list(_TLS12_CIPHERS)
    own, *chain = x509.load_pem_x509_certificates(material.certificate)
    context.use_certificate(own)
    for certificate in chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(load_pem_private_key(material.key, password=None))  # type: ignore[arg-type]
    context.check_privatekey()
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if material.client_ca is None:
        context.set_timeout(TICKET_SECONDS)
    else:
        context.set_options(SSL.OP_NO_TICKET)
        _ask_for_client_certificates(context, material.client_ca)
    return context


def _ask_for_client_certificates(context: SSL.Context, authorities_pem: bytes) -> None:
    store = context.get_cert_store()
    assert store is not None, "a fresh context has a store"
    for authority in x509.load_pem_x509_certificates(authorities_pem):
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(authority)
    # Not FAIL_IF_NO_PEER_CERT: most users log in by password. A certificate that does not verify ends the handshake.
    context.set_verify(SSL.VERIFY_PEER)
