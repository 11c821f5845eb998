"""What the accounts need of the directory of users; ``spool.assign_directory`` and the control files keep it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from spool.names import DomainName, UserName


class UserRecord(Protocol):
    """One user's exact record."""

    @property
    def uid(self) -> int:
        """The numeric user id the mailbox belongs to."""

    @property
    def gid(self) -> int:
        """The numeric group id of it."""

    @property
    def home(self) -> Path:
        """The home directory, stored when the user was made."""


class Directory(Protocol):
    """Finds users. Both methods may read a file, and neither waits for anything else."""

    def user(self, name: UserName) -> UserRecord:
        """The exact record of this user; wildcards do not count.

        Raises:
            NoSuchUserError: the directory was read whole and does not know the name.
            DirectoryUnavailableError: it cannot be read now.
        """

    def belongs(self, user: UserName, domain: DomainName) -> bool:
        """Whether the domain is one of the site's, and the user in it.

        Raises:
            SpoolError: the lists cannot be read now.
        """
