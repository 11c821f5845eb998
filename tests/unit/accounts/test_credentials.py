from __future__ import annotations

from pathlib import Path

import pytest

from accounts.credentials import Credentials
from accounts.schemes.verifiers import make_verifier
from accounts.settings import AuthSettings
from spool.names import UserName

USERS = [UserName(name) for name in ("yasuhi", "other", "third", "broken")]


def test_users_without_a_scram_verifier_are_counted(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(
        f"yasuhi:{make_verifier('SCRAM-SHA-256', b'pencil')}\nother:{{PLAIN}}x\nbroken:{{SCRAM-SHA-256}}x\n"
    )
    (tmp_path / "passwd").chmod(0o600)
    credentials = Credentials.in_directory(tmp_path)
    settings = AuthSettings(schemes=("ARGON2ID", "SCRAM-SHA-256"))
    assert credentials.describe_missing(settings, USERS) == (
        "3 of 4 users have no verifier for SCRAM-SHA-256, and cannot use it",
        "1 of 4 users have no password",
    )
    assert credentials.describe_missing(settings, USERS[:1]) == ()
    assert credentials.describe_missing(AuthSettings(), USERS) == ("1 of 4 users have no password",)


@pytest.mark.parametrize(
    "settings", [AuthSettings(checkpassword=("/bin/checkpassword",)), AuthSettings(pam_service="mailspool")]
)
def test_nobody_is_without_a_password_where_another_source_is_asked(tmp_path: Path, settings: AuthSettings) -> None:
    (tmp_path / "passwd").write_text("")
    (tmp_path / "passwd").chmod(0o600)
    assert Credentials.in_directory(tmp_path).describe_missing(settings, USERS) == ()
