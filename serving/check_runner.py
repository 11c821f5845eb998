"""Carries out the checks that the authenticator decides on: in hashers, in killable programs, as the user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from accounts.checks import (
    Check,
    CheckOutcome,
    CheckResult,
    ExternalCheck,
    RhostsContent,
    RhostsNeeded,
    RhostsUntrusted,
    Verification,
    run_verification,
)
from accounts.rhosts import UntrustedRhostsError, read_rhosts
from serving.channel import Frame
from serving.external_checks import ExternalChecks
from serving.process_pool import JobFailedError, ProcessPool
from spool.errors import SpoolError

RHOSTS_READERS: Final = 2


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """Bounds of the checks.

    ``hashers`` processes verify passwords. Up to ``waiting_max`` checks wait for one, each for ``waiting_seconds``: a
    whole site that logs in at once is no trouble until its clients give up. Any other check is answered TEMPORARY. A
    check is killed after ``check_seconds``; both times together are less than a worker waits for its answer. At most
    ``programs_max`` external programs run at once.
    """

    hashers: int = 2
    waiting_max: int = 10_000
    waiting_seconds: float = 15.0
    check_seconds: float = 10.0
    programs_max: int = 16


class UserFiles(Protocol):
    """Reads a user's file with the user's rights, where they are not ours (``serving.remote_user_files``)."""

    def read_rhosts(self, needed: RhostsNeeded) -> Deferred[bytes]:
        """The content of ``.rhosts``; fails with a SpoolError."""


class CheckRunner:
    """Runs checks; what could not be made is UNAVAILABLE.

    Args:
        reactor: runs in this process, in which there is no other thread.
        limits: how many and how long.
        user_files: for homes of other uids; None on one-uid sites.
        spool_root: below which homes may have been moved.
    """

    _log = Logger()

    def __init__(self, reactor: Any, limits: CheckLimits, user_files: UserFiles | None, *, spool_root: Path) -> None:
        self._hashers = ProcessPool(
            reactor,
            _verify,
            count=limits.hashers,
            queue_max=limits.waiting_max,
            queue_seconds=limits.waiting_seconds,
            job_seconds=limits.check_seconds,
        )
        self._external = ExternalChecks(reactor, seconds=limits.check_seconds, running_max=limits.programs_max)
        # A home may hang: reading it has processes of its own, so that it can keep only other .rhosts waiting.
        self._readers = ProcessPool(
            reactor,
            _read_rhosts,
            count=RHOSTS_READERS,
            queue_max=limits.waiting_max,
            queue_seconds=limits.waiting_seconds,
            job_seconds=limits.check_seconds,
        )
        self._user_files = user_files
        self._spool_root = spool_root

    def run(self, check: Check) -> Deferred[CheckOutcome]:
        """Make a check. Never fails."""
        outcome: Deferred[CheckOutcome]
        match check:
            case Verification(verifiers, password, decoy_scheme):
                job = Frame({"verifiers": verifiers, "decoy_scheme": decoy_scheme}, password)
                outcome = self._hashers.run(job).addCallback(lambda result: CheckResult(result.text("result")))
            case ExternalCheck():
                outcome = self._external.run(check).addCallback(lambda result: result)
            case RhostsNeeded(uid=uid) if uid == os.getuid():
                job = Frame({"home": str(check.home), "uid": uid, "root": str(self._spool_root)})
                outcome = self._readers.run(job).addCallback(self._rhosts)
            case RhostsNeeded():
                if self._user_files is None:
                    return succeed(CheckResult.UNAVAILABLE)
                outcome = self._user_files.read_rhosts(check).addCallbacks(RhostsContent, _untrusted)
        return outcome.addErrback(self._unavailable)

    def _rhosts(self, result: Frame) -> CheckOutcome:
        if "trouble" in result.message:
            self._log.warn("no .rhosts: {trouble}", trouble=result.text("trouble"))
            return CheckResult.UNAVAILABLE
        if "untrusted" in result.message:
            return RhostsUntrusted(result.text("untrusted"))
        return RhostsContent(result.body)

    def _unavailable(self, failure: Failure) -> CheckOutcome:
        # Whatever it was, the login was neither right nor wrong.
        if not isinstance(failure.value, JobFailedError | SpoolError):
            self._log.failure("a check failed in an unforeseen way", failure)
        return CheckResult.UNAVAILABLE

    def counters(self) -> dict[str, int]:
        """Figures for ``mailspool status``."""
        return {"checks_waiting": self._hashers.waiting, "programs_running": self._external.running}

    def close(self) -> None:
        """End the processes."""
        self._hashers.close()
        self._readers.close()


def _verify(job: Frame) -> Frame:
    verifiers = tuple(str(verifier) for verifier in job.message["verifiers"])
    return Frame({"result": run_verification(Verification(verifiers, job.body, job.text("decoy_scheme"))).value})


def _untrusted(failure: Failure) -> RhostsUntrusted | Failure:
    error = failure.value
    return RhostsUntrusted(str(error)) if isinstance(error, UntrustedRhostsError) else failure


def _read_rhosts(job: Frame) -> Frame:
    try:
        home, root = Path(job.text("home")), Path(job.text("root"))
        return Frame(body=read_rhosts(home, job.number("uid"), moved_below=root))
    except UntrustedRhostsError as error:
        return Frame({"untrusted": str(error)})
    except SpoolError as error:
        return Frame({"trouble": str(error)})
