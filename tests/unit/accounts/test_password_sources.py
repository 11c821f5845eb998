from __future__ import annotations

import pytest

from accounts.checks import Check, ExternalCheck, Verification
from accounts.password_sources import apop_checks, password_checks
from accounts.settings import AuthSettings
from spool.names import UserName

YASUHI = UserName("yasuhi")
EXTERNAL = AuthSettings(checkpassword=("/bin/check",), checkpassword_apop=True, pam_service="mailspool")


def kinds(checks: tuple[Check, ...]) -> list[str]:
    return [check.command[0] if isinstance(check, ExternalCheck) else type(check).__name__ for check in checks]


def test_a_password_goes_through_every_source_whoevers_it_is() -> None:
    for verifiers in ((), ("{PLAIN}x",)):
        checks = password_checks(EXTERNAL, YASUHI, verifiers, b"x")
        assert kinds(checks)[:2] == ["Verification", "/bin/check"]
        assert len(checks) == 3
        assert isinstance(checks[2], ExternalCheck)
        assert checks[2].command[-1] == "mailspool"


def test_without_other_sources_there_are_the_sites_own_verifiers() -> None:
    assert kinds(password_checks(AuthSettings(), YASUHI, (), b"x")) == ["Verification"]


def test_a_malformed_name_reaches_no_program() -> None:
    assert kinds(password_checks(EXTERNAL, None, (), b"x")) == ["Verification"]
    assert apop_checks(EXTERNAL, None, b"d", b"<t>") == ()


def test_an_empty_password_reaches_no_program() -> None:
    assert kinds(password_checks(EXTERNAL, YASUHI, (), b"")) == ["Verification"]


def test_what_a_program_cannot_be_told_is_not_told() -> None:
    assert kinds(password_checks(EXTERNAL, YASUHI, (), b"a\0b")) == ["Verification"]
    assert apop_checks(EXTERNAL, YASUHI, b"a\0b", b"<t>") == ()


def test_an_apop_digest_goes_to_a_program_that_knows_apop() -> None:
    (check,) = apop_checks(EXTERNAL, YASUHI, b"digest", b"<t>")
    assert check == ExternalCheck(("/bin/check", "true"), b"yasuhi\0digest\0<t>\0")
    assert apop_checks(AuthSettings(), YASUHI, b"digest", b"<t>") == ()


@pytest.mark.parametrize(
    ("verifiers", "worth"),
    [
        (("{SCRAM-SHA-256}k", "{SSHA}x", "{PLAIN}y"), ("{SSHA}x", "{PLAIN}y")),
        (("{SCRAM-SHA-256}k",), ("{SCRAM-SHA-256}k",)),
        (("broken",), ("broken",)),
        ((), ()),
    ],
)
def test_scram_verifiers_check_a_password_only_where_there_are_no_others(
    verifiers: tuple[str, ...], worth: tuple[str, ...]
) -> None:
    (check,) = password_checks(AuthSettings(), YASUHI, verifiers, b"x")
    assert isinstance(check, Verification)
    assert check.verifiers == worth


@pytest.mark.parametrize(
    ("schemes", "decoy"),
    [
        (("SCRAM-SHA-256", "SHA512-CRYPT", "SSHA"), "SHA512-CRYPT"),
        (("SCRAM-SHA-1",), "SCRAM-SHA-1"),
        (("ARGON2ID",), "ARGON2ID"),
    ],
)
def test_the_decoy_is_what_most_users_have(schemes: tuple[str, ...], decoy: str) -> None:
    (check,) = password_checks(AuthSettings(schemes=schemes), None, (), b"x")
    assert isinstance(check, Verification)
    assert check.decoy_scheme == decoy
