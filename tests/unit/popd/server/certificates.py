"""Certificates for tests, made on the spot."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from OpenSSL import SSL

Key: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate and its key."""

    certificate: x509.Certificate
    key: Key

    def use_in(self, context: SSL.Context) -> None:
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)


def make_identity(
    common_name: str = "mail.example",
    alternatives: Sequence[x509.GeneralName] = (),
    *,
    key: Key | None = None,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> Identity:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else [])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Identity(builder.sign(key, None), key)
    return Identity(builder.sign(key, algorithm or hashes.SHA256()), key)
