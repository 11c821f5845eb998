"""Which checks a password goes through: the site's own verifiers, then a checkpassword program, then PAM.

A password is right as soon as one of them says so. Every wrong one goes through all of them, whoever's it is: the way
it takes must not tell whether a user exists, or where.
"""

from __future__ import annotations

import contextlib

from accounts.checkpassword import UnfitInputError, checkpassword_check
from accounts.checks import Check, Verification
from accounts.pam_check import pam_check
from accounts.schemes.errors import VerifierError
from accounts.schemes.scram_keys import ALGORITHMS
from accounts.schemes.verifiers import scheme_of
from accounts.settings import AuthSettings
from spool.names import UserName


def password_checks(
    settings: AuthSettings, user: UserName | None, verifiers: tuple[str, ...], password: bytes
) -> tuple[Check, ...]:
    """The checks of a password in the clear, in order; ``user`` is None for a name that cannot be a user's."""
    checks: list[Check] = [Verification(_worth_checking(verifiers), password, _decoy_scheme(settings))]
    # An empty password proves nothing, but some back ends take it for an anonymous log-in, and say yes.
    if user is not None and password:
        name = user.text.encode("ascii")
        with contextlib.suppress(UnfitInputError):
            if settings.checkpassword:
                checks.append(checkpassword_check(settings.checkpassword, name, password))
            if settings.pam_service is not None:
                checks.append(pam_check(settings.pam_service, name, password))
    return tuple(checks)


def apop_checks(settings: AuthSettings, user: UserName | None, digest: bytes, timestamp: bytes) -> tuple[Check, ...]:
    """The checks of an APOP digest that does not fit a secret of ours: maybe a checkpassword program knows it."""
    if user is None or not settings.checkpassword_apop:
        return ()
    with contextlib.suppress(UnfitInputError):
        return (checkpassword_check(settings.checkpassword, user.text.encode("ascii"), digest, timestamp),)
    return ()


def _worth_checking(verifiers: tuple[str, ...]) -> tuple[str, ...]:
    # All are of one password. SCRAM's is the cheapest to compute, so it would be the weakest link for a decoy's cost.
    others = tuple(verifier for verifier in verifiers if not _is_scram(verifier))
    return others or verifiers


def _is_scram(verifier: str) -> bool:
    try:
        return scheme_of(verifier) in ALGORITHMS
    except VerifierError:
        return False


def _decoy_scheme(settings: AuthSettings) -> str:
    # What most users of the site have, and what is checked of it.
    return next((scheme for scheme in settings.schemes if scheme not in ALGORITHMS), settings.schemes[0])
