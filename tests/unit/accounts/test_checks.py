from __future__ import annotations

import pickle

import pytest

from accounts import checks
from accounts.checks import (
    CheckResult,
    ExternalCheck,
    Verification,
    run_verification,
)
from accounts.schemes.verifiers import make_verifier


@pytest.mark.parametrize(
    ("verifiers", "result"),
    [
        (("{PLAIN}pencil",), CheckResult.RIGHT),
        (("{PLAIN}x", "{PLAIN}pencil"), CheckResult.RIGHT),
        (("{PLAIN}x", "{PLAIN}y"), CheckResult.WRONG),
        (("{NEW}x", "{PLAIN}pencil"), CheckResult.RIGHT),
        (("{NEW}x", "{PLAIN}y"), CheckResult.UNAVAILABLE),
    ],
)
def test_one_fitting_verifier_is_enough(verifiers: tuple[str, ...], result: CheckResult) -> None:
    assert run_verification(Verification(verifiers, b"pencil", "PLAIN")) is result


def test_nobody_costs_one_verifier_of_the_decoy_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, bytes]] = []
    monkeypatch.setattr(checks, "make_verifier", lambda scheme, password: made.append((scheme, password)))
    assert run_verification(Verification((), b"pencil", "ARGON2ID")) is CheckResult.WRONG
    assert made == [("ARGON2ID", b"pencil")]


def test_nobodys_unusable_password_is_wrong() -> None:
    assert run_verification(Verification((), b"", "PLAIN")) is CheckResult.WRONG


def test_a_verification_goes_to_another_process_and_shows_nothing() -> None:
    verification = Verification((make_verifier("SSHA", b"pencil"),), b"pencil", "SSHA")
    assert pickle.loads(pickle.dumps(verification)) == verification
    assert "pencil" not in repr(verification)
    assert "SSHA}" not in repr(verification)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (0, CheckResult.RIGHT),
        (1, CheckResult.WRONG),
        (2, CheckResult.UNAVAILABLE),
        (111, CheckResult.UNAVAILABLE),
        (None, CheckResult.UNAVAILABLE),
    ],
)
def test_exit_statuses_are_read_as_checkpassword_programs_mean_them(status: int | None, result: CheckResult) -> None:
    assert ExternalCheck(("/bin/check",), b"").result(status) is result
