"""The credentials of a site: three files, each of which has one subject and may change at any time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from accounts.apop_file import ApopFile
from accounts.certificates_file import CertificatesFile
from accounts.passwd_file import PasswdFile
from accounts.schemes.errors import VerifierError
from accounts.schemes.scram_keys import ALGORITHMS
from accounts.settings import AuthSettings
from spool.names import UserName


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everything the site's files know about proving who one is."""

    passwd: PasswdFile
    apop: ApopFile
    certificates: CertificatesFile

    @classmethod
    def in_directory(cls, control: Path) -> Credentials:
        """The credentials in a site's ``control`` directory: ``passwd``, ``apop`` and ``certificates``."""
        return cls(
            PasswdFile(control / "passwd"), ApopFile(control / "apop"), CertificatesFile(control / "certificates")
        )

    def describe_missing(self, settings: AuthSettings, users: Iterable[UserName]) -> tuple[str, ...]:
        """Say how many users cannot log in by each SCRAM scheme in ``[auth] schemes``, and how many by no password.

        Whom ``checkpassword`` or PAM knows cannot be counted, so where one is asked nobody is without a password.

        Raises:
            SettingsError: ``passwd`` cannot be used now.
        """
        names = tuple(users)
        lines = []
        for scheme in settings.schemes:
            if scheme not in ALGORITHMS:
                continue
            missing = sum(not self._has(user, scheme) for user in names)
            if missing:
                lines.append(f"{missing} of {len(names)} users have no verifier for {scheme}, and cannot use it")
        if not settings.checkpassword and settings.pam_service is None:
            missing = sum(not self.passwd.verifiers(user) for user in names)
            if missing:
                lines.append(f"{missing} of {len(names)} users have no password")
        return tuple(lines)

    def _has(self, user: UserName, scheme: str) -> bool:
        try:
            return self.passwd.scram_keys(user, scheme) is not None
        except VerifierError:
            return False
