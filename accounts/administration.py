"""Adding and removing users with their credentials: the roster's side and the password files' side together.

The roster goes first when a user is added and last when one is removed: so a name that is taken is noticed before
anybody's password changes, and nobody logs in as a user who is going. A crash in between leaves a user without
credentials, which ``set_password`` gives and ``remove_user`` does not miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.credentials import Credentials
from accounts.schemes.verifiers import make_verifier
from spool.errors import NoSuchUserError
from spool.names import UserName
from spool.roster import Added, NewUser, Removed, Roster


@dataclass(frozen=True, slots=True)
class Administration:
    """What an operator does with users. ``schemes`` are what passwords are stored in, one verifier for each."""

    roster: Roster
    credentials: Credentials
    schemes: Sequence[str]

    def add_user(self, new: NewUser, password: bytes | None, *, apop: bool = False) -> Added:
        """Add a user; without a password they can get mail and not log in.

        Raises:
            SpoolError: as ``Roster.add_user``; or the password cannot be stored, and the user has been added without.
        """
        verifiers = self._verifiers(password)  # a password nobody can use is refused before anything is made
        added = self.roster.add_user(new)
        self._store(new.name, verifiers, password if apop else None)
        return added

    def remove_user(self, name: UserName, *, purge: bool = False) -> Removed:
        """Remove a user's credentials, then the user; the mail stays unless ``purge`` is given.

        Raises:
            SpoolError: as ``Roster.remove_user``.
        """
        self._require(name)
        self._store(name, (), None)
        return self.roster.remove_user(name, purge=purge)

    def set_password(self, name: UserName, password: bytes, *, apop: bool | None = None) -> None:
        """Replace a user's password.

        Args:
            name: an existing user.
            password: the new one.
            apop: keep it as APOP secret too; None does what was done for the old one.

        Raises:
            NoSuchUserError: there is none of this name.
            SpoolError: it cannot be stored.
        """
        self._require(name)
        if apop is None:
            apop = self.credentials.apop.secret(name) is not None
        self._store(name, self._verifiers(password), password if apop else None)

    def _require(self, name: UserName) -> None:
        if all(user != name for user, _ in self.roster.users()):
            raise NoSuchUserError(f"no user {name}")

    def _verifiers(self, password: bytes | None) -> tuple[str, ...]:
        return () if password is None else tuple(make_verifier(scheme, password) for scheme in self.schemes)

    def _store(self, name: UserName, verifiers: Sequence[str], secret: bytes | None) -> None:
        if verifiers:
            self.credentials.passwd.set_verifiers(name, verifiers)
        else:
            self.credentials.passwd.remove(name)
        if secret is not None:
            self.credentials.apop.set_secret(name, secret)
        else:
            self.credentials.apop.remove(name)
