"""Checks that take long, described as values: the authenticator decides on them, and its shell carries them out.

A ``Verification`` is for a hasher process, an ``ExternalCheck`` for a killable child, ``RhostsNeeded`` for whoever may
read the user's home. Each ends with one ``CheckOutcome``.
"""

from __future__ import annotations

import contextlib
import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from accounts.schemes.errors import UnusablePasswordError, VerifierError
from accounts.schemes.verifiers import make_verifier, verify
from spool.names import UserName

EXTERNAL_CHECK_DESCRIPTOR: Final = 3
"""Where a child reads its input, as checkpassword programs do (qmail's checkpassword interface)."""


class CheckResult(enum.Enum):
    """How a check ended."""

    RIGHT = "right"
    WRONG = "wrong"
    UNAVAILABLE = "unavailable"
    """It could not be made, or not in time: says nothing about the password."""


@dataclass(frozen=True, slots=True)
class RhostsContent:
    """What the user's ``.rhosts`` says, read by ``accounts.rhosts.read_rhosts``; empty if there is none."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class RhostsUntrusted:
    """There is a ``.rhosts`` that says nothing, because of the ``fault`` that ``accounts.rhosts.read_rhosts`` found."""

    fault: str


CheckOutcome: TypeAlias = CheckResult | RhostsContent | RhostsUntrusted


@dataclass(frozen=True, slots=True)
class Verification:
    """Check a password against verifiers, in order: ``run_verification`` in a hasher process. Can be pickled.

    Without verifiers it costs what one of ``decoy_scheme`` would, and ends with ``WRONG``.
    """

    verifiers: tuple[str, ...] = field(repr=False)
    password: bytes = field(repr=False)
    decoy_scheme: str


@dataclass(frozen=True, slots=True)
class ExternalCheck:
    """Let a program decide.

    Start ``command``, write ``octets`` to its descriptor ``EXTERNAL_CHECK_DESCRIPTOR`` and close it, and give its exit
    status to ``result``; kill it when it takes too long. It exits with 0 for yes and ``wrong_status`` for no.
    """

    command: tuple[str, ...]
    octets: bytes = field(repr=False)
    wrong_status: int = 1

    def result(self, status: int | None) -> CheckResult:
        """What an exit status says; None for a program that was killed or crashed.

        Whatever is neither yes nor no is trouble: 111 by custom, misuse (2), and all we do not know.
        """
        if status == 0:
            return CheckResult.RIGHT
        return CheckResult.WRONG if status == self.wrong_status else CheckResult.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class RhostsNeeded:
    """Read ``.rhosts`` in ``home``, with the rights of ``uid`` where that is another; ends with one of the two."""

    user: UserName
    uid: int
    gid: int
    home: Path


Check: TypeAlias = Verification | ExternalCheck | RhostsNeeded


def run_verification(verification: Verification) -> CheckResult:
    """Verify; blocks for as long as the scheme is meant to take. Raises nothing, so that nothing crosses a process."""
    if not verification.verifiers:
        with contextlib.suppress(UnusablePasswordError):
            make_verifier(verification.decoy_scheme, verification.password)
        return CheckResult.WRONG
    result = CheckResult.WRONG
    for verifier in verification.verifiers:
        try:
            if verify(verifier, verification.password):
                return CheckResult.RIGHT
        except VerifierError:
            # Nobody can say whether the password fits it; a later verifier may still say yes.
            result = CheckResult.UNAVAILABLE
    return result
