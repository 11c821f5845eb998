"""``control/apop``: the shared secrets of APOP, which the server must know in the clear (RFC 1939 section 7).

Lines ``user:{PLAIN.b64}secret``, so that a secret may hold any octets; ``user:{PLAIN}secret`` is read as well. The file
is private to the account the authenticator runs as, and apart from ``control/passwd`` because it is worth more.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from accounts.schemes.digests import decode_plain, encode_plain
from accounts.schemes.errors import VerifierError
from accounts.schemes.verifiers import MAX_PASSWORD_OCTETS
from accounts.user_lines import UserLines
from spool.errors import SettingsError
from spool.names import UserName


class ApopFile:
    """The secrets of a site's users, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._lines = UserLines(path)

    def secret(self, user: UserName) -> bytes | None:
        """A user's secret; None for a user without one.

        Raises:
            SettingsError: the file or the user's line cannot be used now.
        """
        values = self._lines.values(user)
        if not values:
            return None
        try:
            return decode_plain(values[0])
        except (ValueError, VerifierError):
            raise SettingsError(f"{self._lines.path}: user {user}: expected {{PLAIN.b64}} and a secret") from None

    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Every user with a secret, by name; the values are the file's own form of it.

        Raises:
            SettingsError: the file cannot be used now.
        """
        return self._lines.all()

    def set_secret(self, user: UserName, secret: bytes) -> None:
        """Give a user this secret; durable when it returns, as ``UserLines.replace``.

        Raises:
            SettingsError: the secret is empty or too long, or the file cannot be written; nothing was changed.
        """
        if not 1 <= len(secret) <= MAX_PASSWORD_OCTETS:
            raise SettingsError(f"{self._lines.path}: expected a secret of 1 to {MAX_PASSWORD_OCTETS} octets")
        self._lines.replace(user, (encode_plain(secret),))

    def remove(self, user: UserName) -> bool:
        """Remove a user's secret; durable when it returns. Returns whether there was one.

        Raises:
            SettingsError: the file cannot be used or written; nothing was changed.
        """
        return self._lines.replace(user, ())


def apop_digest(timestamp: bytes, secret: bytes) -> bytes:
    """The 32 lower-case hexadecimal digits a client must send for this time stamp, angle brackets included."""
    return hashlib.md5(timestamp + secret, usedforsecurity=False).hexdigest().encode("ascii")


def digest_fits(digest: bytes, timestamp: bytes, secret: bytes) -> bool:
    """Whether a client's digest is right, compared in constant time; some clients send it in upper case."""
    return hmac.compare_digest(digest.lower(), apop_digest(timestamp, secret))
