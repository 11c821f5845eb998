"""The credentials of a site: three files, each of which has one subject and may change at any time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accounts.apop_file import ApopFile
from accounts.certificates_file import CertificatesFile
from accounts.passwd_file import PasswdFile


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
