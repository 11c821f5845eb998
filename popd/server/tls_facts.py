"""What a finished TLS handshake tells the authenticator: channel bindings, and the names in a client's certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from accounts.requests import ChannelBinding

NAMES_MAX: Final = 32  # with the next, what fits into a question to the authenticator (accounts.wire) in any script
NAME_CHARACTERS_MAX: Final = 512
_EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"  # RFC 9266 section 2
_EXPORTER_OCTETS: Final = 32
_WEAK_HASHES: Final = ("md5", "sha1")  # RFC 5929 section 4.1 replaces them by SHA-256


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a handshake told for SASL: nothing without TLS."""

    binding: ChannelBinding = field(default_factory=ChannelBinding)
    certificate_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: SSL.Connection) -> TlsFacts:
        """Collect them once the handshake is over."""
        return cls(channel_binding(connection), certificate_names(connection))


def channel_binding(connection: SSL.Connection) -> ChannelBinding:
    """Collect the channel bindings SCRAM-PLUS may use.

    tls-exporter needs TLS 1.3: with 1.2 it is safe only together with the extended master secret (RFC 9266 section
    4.2), which OpenSSL's Python binding does not report.
    """
    exporter = None
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        exporter = connection.export_keying_material(_EXPORTER_LABEL, _EXPORTER_OCTETS, b"")
    certificate = connection.get_certificate(as_cryptography=True)
    return ChannelBinding(
        tls_exporter=exporter,
        tls_server_end_point=None if certificate is None else _end_point(certificate),
    )


def certificate_names(connection: SSL.Connection) -> tuple[str, ...]:
    """List the names in the client's certificate, as ``SaslBegin.certificate_names`` wants them.

    Empty without a certificate, and without verification by the handshake: OpenSSL ends a handshake whose client
    certificate does not verify, but only if it was told to look (``VERIFY_PEER``). Empty too for a certificate with
    more or longer names than are passed on: a part of them might be mapped to one user where all were not.
    """
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if certificate is None or not connection.get_verify_mode() & SSL.VERIFY_PEER:
        return ()
    names = [f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"]
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += [f"email:{name}" for name in alternatives.get_values_for_type(x509.RFC822Name)]
        names += [f"dns:{name}" for name in alternatives.get_values_for_type(x509.DNSName)]
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        pass  # there are none, or what does not parse (ValueError) or is not allowed: they name nobody
    if subject := certificate.subject.rfc4514_string():
        names.append(f"subject:{subject}")
    return tuple(names) if len(names) <= NAMES_MAX and max(map(len, names)) <= NAME_CHARACTERS_MAX else ()


def describe(connection: SSL.Connection) -> str:
    """Name version and cipher for the log (RFC 8314 section 5.2), such as ``TLSv1.3 TLS_AES_256_GCM_SHA384``."""
    return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"


def _end_point(certificate: x509.Certificate) -> bytes | None:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return None  # Ed25519 and Ed448: RFC 5929 defines no hash for them
    return certificate.fingerprint(hashes.SHA256() if algorithm.name in _WEAK_HASHES else algorithm)
