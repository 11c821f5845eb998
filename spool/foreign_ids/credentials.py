"""The file with passwords on the old server: lines ``user:password``, or one ``*:password`` for a master user.

A master user of the old server may read everybody's mail; their login name is made of the user's by a template, such as
``{user}*admin`` for Dovecot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spool.errors import ForeignIdsError
from spool.foreign_ids.old_server import Login
from spool.foreign_ids.user_files import read_secrets
from spool.names import UserName

_EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in on the old server with what."""

    file: Path
    template: str
    passwords: Mapping[str, str] = field(repr=False)

    def login(self, user: UserName) -> Login:
        """Return what to log in with for a user.

        Raises:
            ForeignIdsError: the file has no password for them.
        """
        password = self.passwords.get(user.text) or self.passwords.get(_EVERYBODY)
        if password is None:
            raise ForeignIdsError(f"{self.file}: no password for {user}")
        return Login(self.template.replace("{user}", user.text), password)


def read_credentials(file: Path, template: str) -> Credentials:
    """Read the file; it must have mode 0600 and be ours.

    Args:
        file: its path.
        template: the login name, with ``{user}``.

    Raises:
        ForeignIdsError: it cannot be read, others may read it, or a line has no password.
    """
    passwords = {}
    for number, line in enumerate(read_secrets(file).decode("utf-8", "surrogateescape").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, password = line.rstrip("\r").partition(":")
        if not (user and colon and password):
            raise ForeignIdsError(f"{file}: line {number}: expected user:password")
        passwords[user] = password
    return Credentials(file, template, passwords)
