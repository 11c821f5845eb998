from __future__ import annotations

from pathlib import Path

import pytest

from accounts.certificates_file import CertificatesFile
from spool.errors import SettingsError
from spool.names import UserName

TEXT = """
# type:value:user
email:Yasuhi@Example.org:yasuhi
dns:pc.example.org:yasuhi
subject:CN=Yasuhi: the first,O=Example:yasuhi
sha256:AB:CD:12:yasuhi
dns:shared.example.org:yasuhi
dns:shared.example.org:other
email:other@example.org:other
"""


def certificates(tmp_path: Path, text: str = TEXT) -> CertificatesFile:
    (tmp_path / "certificates").write_text(text)
    (tmp_path / "certificates").chmod(0o644)
    return CertificatesFile(tmp_path / "certificates")


@pytest.mark.parametrize(
    ("names", "user"),
    [
        (("email:yasuhi@example.ORG",), "yasuhi"),
        (("dns:PC.example.org", "email:stranger@example.org"), "yasuhi"),
        (("subject:CN=Yasuhi: the first,O=Example",), "yasuhi"),
        (("sha256:abcd12",), "yasuhi"),
        (("email:yasuhi@example.org", "dns:pc.example.org"), "yasuhi"),
        ((), None),
        (("email:stranger@example.org",), None),
        (("subject:cn=yasuhi: the first,o=example",), None),
        (("dns:yasuhi@example.org",), None),
        (("unknown:yasuhi@example.org", "", "email"), None),
        (("dns:shared.example.org",), None),
        (("email:yasuhi@example.org", "email:other@example.org"), None),
    ],
)
def test_a_certificate_stands_for_the_one_user_it_is_mapped_to(
    tmp_path: Path, names: tuple[str, ...], user: str | None
) -> None:
    assert certificates(tmp_path).user_of(names) == (None if user is None else UserName(user))


@pytest.mark.parametrize(
    "line",
    ["email:yasuhi", "mail:a@example.org:yasuhi", "email::yasuhi", "email:a@example.org:Ya Suhi", "yasuhi", "\xff"],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "certificates").write_bytes(b"# first\n" + line.encode("latin-1"))
    (tmp_path / "certificates").chmod(0o644)
    with pytest.raises(SettingsError, match="certificates: line 2: expected type:value:user"):
        CertificatesFile(tmp_path / "certificates").user_of(())


def test_it_knows_whether_anybody_is_mapped(tmp_path: Path) -> None:
    assert not CertificatesFile(tmp_path / "none").anybody()
    assert certificates(tmp_path).anybody()
