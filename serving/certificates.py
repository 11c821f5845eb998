"""Certificates and keys: read and checked before anything is served with them, and made for a new site.

Runs in the supervisor and in ``mailspool config check``, so without Twisted. The supervisor hands the octets to its
children: nobody but its own uid needs the right to read the key.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from spool.errors import SettingsError

WARNING_DAYS: Final = 14
SELF_SIGNED_DAYS: Final = 3650  # nobody renews it by itself, and its age says nothing about who signed it
_CLOCK_SKEW: Final = datetime.timedelta(hours=1)
_COMMON_NAME_MAX: Final = 64  # X.520 ub-common-name


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What a server context is made from, as PEM; checked by ``read_tls_material``.

    ``certificate`` begins with the server's own and goes on with its chain. ``client_ca`` holds the authorities whose
    client certificates are believed, None where clients are not asked for one.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True)
class CheckedTls:
    """Material that can be served with, and what the operator should hear about it."""

    material: TlsMaterial
    warnings: tuple[str, ...]


def read_tls_material(
    certificate: Path, key: Path, client_ca: Path | None, *, now: datetime.datetime | None = None
) -> CheckedTls:
    """Read the files of one listener and check that they belong together.

    An expired certificate or a key that everybody can read is only warned of: mail should not stop for it.

    Args:
        certificate: the server's certificate, its chain after it.
        key: its private key, without a passphrase.
        client_ca: authorities of client certificates.
        now: the time to check against, with its time zone; the present if None.

    Raises:
        SettingsError: a file is missing or is not what it should be, or the key is another certificate's.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    certificate_pem, _ = _read(certificate)
    key_pem, key_mode = _read(key)
    chain = _certificates(certificate, certificate_pem)
    private_key = _private_key(key, key_pem)
    if _public_octets(private_key.public_key()) != _public_octets(chain[0].public_key()):
        raise SettingsError(f"{key}: not the key of the first certificate in {certificate}")
    warnings = _dates(certificate, chain, now)
    if key_mode & stat.S_IROTH:
        warnings.append(f"{key}: every user can read this key (mode {key_mode:04o})")
    client_ca_pem = None
    if client_ca is not None:
        client_ca_pem, _ = _read(client_ca)
        warnings += _dates(client_ca, _certificates(client_ca, client_ca_pem), now)
    return CheckedTls(TlsMaterial(certificate_pem, key_pem, client_ca_pem), tuple(warnings))


def make_self_signed(host: str, *others: str, now: datetime.datetime | None = None) -> tuple[bytes, bytes]:
    """Make a key (P-256) and a certificate for ``host`` and ``others``, names or IP addresses, signed with that key.

    Returns:
        The certificate and the key, as PEM. The caller keeps the key from others' eyes.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:_COMMON_NAME_MAX])])
    alternatives = [_general_name(each) for each in dict.fromkeys((host, *others))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _read(path: Path) -> tuple[bytes, int]:
    """Read a file; with its permission bits."""
    try:
        with path.open("rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def _certificates(path: Path, pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise SettingsError(f"{path}: expected certificates in PEM form") from error


def _private_key(path: Path, pem: bytes) -> PrivateKeyTypes:
    # The library's own text is dropped with the cause: nothing of a key file may reach a log.
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingsError(f"{path}: the key is protected by a passphrase, which nobody could enter") from None
    except ValueError:
        raise SettingsError(f"{path}: expected a private key in PEM form") from None


def _public_octets(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]  # every kind of key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _dates(path: Path, certificates: Sequence[x509.Certificate], now: datetime.datetime) -> list[str]:
    warnings = []
    for certificate in certificates:
        name = certificate.subject.rfc4514_string() or "a certificate without a subject"
        if now < certificate.not_valid_before_utc:
            warnings.append(f"{path}: {name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
        elif now >= certificate.not_valid_after_utc:
            warnings.append(f"{path}: {name} expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        elif now >= certificate.not_valid_after_utc - datetime.timedelta(days=WARNING_DAYS):
            warnings.append(f"{path}: {name} expires at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    return warnings
