from __future__ import annotations

from pathlib import Path

import pytest

from accounts.apop_file import ApopFile, apop_digest, digest_fits
from spool.errors import SettingsError
from spool.names import UserName

YASUHI = UserName("yasuhi")
TIMESTAMP = b"<1896.697170952@dbc.mtview.ca.us>"


def test_a_secret_of_any_octets_is_kept(tmp_path: Path) -> None:
    apop = ApopFile(tmp_path / "apop")
    secret = bytes(range(256))
    apop.set_secret(YASUHI, secret)
    assert apop.secret(YASUHI) == secret
    assert apop.secret(UserName("other")) is None
    assert set(apop.users()) == {"yasuhi"}
    assert (tmp_path / "apop").stat().st_mode & 0o777 == 0o600
    assert apop.remove(YASUHI)
    assert not apop.remove(YASUHI)
    assert apop.secret(YASUHI) is None


def test_a_secret_may_be_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "apop").write_text("yasuhi:{PLAIN}tanstaaf\n")
    (tmp_path / "apop").chmod(0o600)
    assert ApopFile(tmp_path / "apop").secret(YASUHI) == b"tanstaaf"


@pytest.mark.parametrize("value", ["tanstaaf", "{SSHA}tanstaaf", "{PLAIN.b64}tanstaa", "{PLAIN.rot13}tanstaaf"])
def test_a_line_without_a_secret_is_an_error_that_shows_nothing(tmp_path: Path, value: str) -> None:
    (tmp_path / "apop").write_text(f"yasuhi:{value}\n")
    (tmp_path / "apop").chmod(0o600)
    with pytest.raises(SettingsError, match="user yasuhi: expected") as caught:
        ApopFile(tmp_path / "apop").secret(YASUHI)
    assert "tanstaa" not in str(caught.value)


@pytest.mark.parametrize("secret", [b"", b"x" * 1025])
def test_a_secret_has_bounds(tmp_path: Path, secret: bytes) -> None:
    with pytest.raises(SettingsError, match="1 to 1024"):
        ApopFile(tmp_path / "apop").set_secret(YASUHI, secret)


def test_the_digest_is_that_of_rfc_1939() -> None:
    assert apop_digest(TIMESTAMP, b"tanstaaf") == b"c4c9334bac560ecc979e58001b3e22fb"


@pytest.mark.parametrize(
    ("digest", "fits"),
    [
        (b"c4c9334bac560ecc979e58001b3e22fb", True),
        (b"C4C9334BAC560ECC979E58001B3E22FB", True),
        (b"c4c9334bac560ecc979e58001b3e22fc", False),
        (b"c4c9334bac560ecc979e58001b3e22f", False),
        (b"", False),
        (b"\xff" * 32, False),
    ],
)
def test_a_digest_fits_only_whole(digest: bytes, fits: bool) -> None:
    assert digest_fits(digest, TIMESTAMP, b"tanstaaf") is fits
