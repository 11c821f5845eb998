"""Tests of ``tools.program_user``."""

from __future__ import annotations

import pwd

import pytest

from delivery.program_keeper import ProgramLimits
from delivery.settings import DeliverySettings
from serving.privileges import Identity
from spool.errors import SettingsError
from tools.program_user import program_identity, program_limits

ACCOUNTS = {
    "games": (5, 60),
    "programs": (900, 900),
    "toor": (0, 0),
    "wheel": (901, 0),
    "mail": (800, 800),
}


@pytest.fixture(autouse=True)
def _accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: str) -> pwd.struct_passwd:
        uid, gid = ACCOUNTS[name]
        return pwd.struct_passwd((name, "*", uid, gid, "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", named)


def identity(name: str | None) -> Identity | None:
    return program_identity(name, uid_min=100, mail_uids={800})


def test_an_account_is_named_or_none_is() -> None:
    assert identity("programs") == Identity(900, 900)
    assert identity(None) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody-there", "there is no account 'nobody-there'"),
        ("toor", "is root"),
        ("wheel", "of root's group"),
        ("games", "has uid 5, below"),
        ("mail", "can read everybody's mail"),
    ],
)
def test_an_account_that_would_be_no_protection_is_refused(name: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"program_user: .*{why}"):
        identity(name)


def test_programs_have_the_limits_of_the_settings() -> None:
    limits = program_limits(DeliverySettings(program_seconds=7.0, program_processes=8))
    assert limits == ProgramLimits(7.0, 1 << 30, 8, 256)
