from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from serving.certificates import SELF_SIGNED_DAYS, make_self_signed, read_tls_material
from spool.errors import SettingsError

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
CERTIFICATE, KEY = make_self_signed("mail.example.org", now=NOW)
END = NOW + datetime.timedelta(days=SELF_SIGNED_DAYS)


class Files:
    """The files of one listener, in a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "certificate.pem"
        self.key = directory / "key.pem"
        self.certificate.write_bytes(CERTIFICATE)
        self.key.write_bytes(KEY)
        self.key.chmod(0o600)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_certificate_and_its_key_are_read(files: Files) -> None:
    checked = read_tls_material(files.certificate, files.key, None, now=NOW)
    assert (checked.material.certificate, checked.material.key) == (CERTIFICATE, KEY)
    assert checked.warnings == ()


def test_authorities_are_read_when_clients_are_asked_for_certificates(files: Files) -> None:
    checked = read_tls_material(files.certificate, files.key, files.certificate, now=NOW)
    assert checked.material.client_ca == CERTIFICATE


def test_the_key_is_kept_out_of_the_repr(files: Files) -> None:
    checked = read_tls_material(files.certificate, files.key, None)
    assert "PRIVATE" not in repr(checked)


def test_a_missing_file_is_named(files: Files) -> None:
    files.key.unlink()
    with pytest.raises(SettingsError, match=r"key\.pem: No such file or directory"):
        read_tls_material(files.certificate, files.key, None)


def test_a_file_without_a_certificate_is_named(files: Files) -> None:
    files.certificate.write_bytes(KEY)
    with pytest.raises(SettingsError, match=r"certificate\.pem: expected certificates in PEM form"):
        read_tls_material(files.certificate, files.key, None)


def test_a_file_without_a_key_is_named_without_its_content(files: Files) -> None:
    files.key.write_bytes(b"very secret")
    with pytest.raises(SettingsError, match=r"key\.pem: expected a private key in PEM form$") as caught:
        read_tls_material(files.certificate, files.key, None)
    assert caught.value.__suppress_context__


def test_a_key_with_a_passphrase_is_refused(files: Files) -> None:
    key = serialization.load_pem_private_key(KEY, None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    with pytest.raises(SettingsError, match=r"key\.pem: the key is protected by a passphrase"):
        read_tls_material(files.certificate, files.key, None)


def test_the_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key.write_bytes(make_self_signed("mail.example.org")[1])
    with pytest.raises(SettingsError, match=r"key\.pem: not the key of the first certificate in .*certificate\.pem"):
        read_tls_material(files.certificate, files.key, None)


def test_a_key_that_everybody_can_read_is_warned_of(files: Files) -> None:
    files.key.chmod(0o644)
    checked = read_tls_material(files.certificate, files.key, None, now=NOW)
    assert checked.warnings == (f"{files.key}: every user can read this key (mode 0644)",)


@pytest.mark.parametrize(
    ("now", "warning"),
    [
        (NOW - datetime.timedelta(days=1), "is not valid before 2026-01-01 11:00 UTC"),
        (END - datetime.timedelta(days=13), "expires at 2035-12-30 12:00 UTC"),
        (END, "expired at 2035-12-30 12:00 UTC"),
    ],
)
def test_a_certificate_outside_its_time_is_warned_of(files: Files, now: datetime.datetime, warning: str) -> None:
    checked = read_tls_material(files.certificate, files.key, files.certificate, now=now)
    assert checked.warnings == (f"{files.certificate}: CN=mail.example.org {warning}",) * 2


@pytest.mark.parametrize("host", ["mail.example.org", "127.0.0.1", "::1"])
def test_a_self_signed_certificate_names_its_host(host: str) -> None:
    certificate = x509.load_pem_x509_certificate(make_self_signed(host)[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if host == "mail.example.org":
        assert names.get_values_for_type(x509.DNSName) == [host]
    else:
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(host)]


def test_a_self_signed_certificate_can_name_a_host_longer_than_a_common_name() -> None:
    host = "a" * 60 + ".example.org"
    certificate = x509.load_pem_x509_certificate(make_self_signed(host)[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]
