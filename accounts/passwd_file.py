"""``control/passwd``: the verifiers of each user's password.

Lines ``user:{SCHEME}verifier``; a user has one line for each verifier, all of the same password. A verifier ends at a
colon: a password written by hand that holds one, or a space, is written as ``{PLAIN.b64}``. The file is private to the
account the authenticator runs as.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from accounts.schemes.errors import VerifierError
from accounts.schemes.scram_keys import ScramKeys, keys_of
from accounts.schemes.verifiers import require_usable, scheme_of
from accounts.user_lines import UserLines
from spool.errors import SettingsError
from spool.names import UserName


class PasswdFile:
    """The verifiers of a site's users, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._lines = UserLines(path)

    def verifiers(self, user: UserName) -> tuple[str, ...]:
        """All verifiers of a user, in the order of the file; empty without any. They are not checked.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return self._lines.values(user)

    def scram_keys(self, user: UserName, scheme: str) -> ScramKeys | None:
        """The user's keys for ``SCRAM-SHA-256`` or ``SCRAM-SHA-1``; None without a verifier of that scheme.

        Raises:
            SettingsError: the file cannot be used now.
            VerifierError: the verifier cannot be used.
        """
        for verifier in self._lines.values(user):
            if scheme_of(verifier) == scheme:
                return keys_of(verifier)
        return None

    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Every user's verifiers, by name.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return self._lines.all()

    def faults(self) -> tuple[str, ...]:
        """What is wrong with verifiers, for the operator; names users and no verifier.

        Raises:
            SettingsError: the file cannot be used at all.
        """
        found = []
        for user, verifiers in self._lines.all().items():
            for verifier in verifiers:
                try:
                    require_usable(verifier)
                except VerifierError as error:
                    found.append(f"{self._lines.path}: user {user}: {error}")
        return tuple(found)

    def set_verifiers(self, user: UserName, verifiers: Sequence[str]) -> None:
        """Replace all verifiers of a user; durable when it returns, as ``UserLines.replace``.

        Raises:
            SettingsError: one cannot be used, or the file cannot be written; nothing was changed.
        """
        for verifier in verifiers:
            try:
                require_usable(verifier)
            except VerifierError as error:
                raise SettingsError(f"{self._lines.path}: user {user}: {error}") from error
        self._lines.replace(user, verifiers)

    def remove(self, user: UserName) -> bool:
        """Remove all verifiers of a user; durable when it returns. Returns whether there were any.

        Raises:
            SettingsError: the file cannot be used or written; nothing was changed.
        """
        return self._lines.replace(user, ())
