"""From the octets a client sends as its name to a user of this site, or to nobody."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.directory import Directory, UserRecord
from spool.errors import MalformedNameError, NoSuchUserError
from spool.names import LoginName, UserName


@dataclass(frozen=True, slots=True)
class Claim:
    """Whom a client claims to be. ``user`` is None for a malformed name, ``record`` None for nobody we know."""

    user: UserName | None
    record: UserRecord | None


def identify(directory: Directory, name: bytes) -> Claim:
    """Find the user behind a login name ``user`` or ``user@domain``.

    Raises:
        SpoolError: the directory cannot be read now; whether the user exists is not known.
    """
    try:
        login = LoginName.parse(name.decode("ascii"))
    except (UnicodeDecodeError, MalformedNameError):
        return Claim(None, None)
    try:
        record = directory.user(login.user)
    except NoSuchUserError:
        return Claim(login.user, None)
    if login.domain is not None and not directory.belongs(login.user, login.domain):
        return Claim(login.user, None)
    return Claim(login.user, record)
