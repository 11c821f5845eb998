"""Names of users and domains, checked once where they come in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from spool.errors import MalformedNameError

USER_NAME_PATTERN: Final = r"[a-z0-9_][a-z0-9._+=-]{0,63}(?<!\.lock)"
_USER_NAME: Final = re.compile(USER_NAME_PATTERN)
_DOMAIN_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True, slots=True, order=True)
class UserName:
    """A mailbox owner's name: safe as one path segment and as one field of an assign line.

    An allow-list: lower case because assign look-ups ignore case, no colon because it separates assign fields, no
    slash, and no dot or dash in front, so that no name is ``..``, a hidden file or an option. None ends in ``.lock``:
    in a directory of mboxes that is the dot-lock of another user's, which any mail program may remove.

    Raises:
        MalformedNameError: anything else, including the empty name and names over 64 characters.
    """

    text: str

    def __post_init__(self) -> None:
        if not _USER_NAME.fullmatch(self.text):
            raise MalformedNameError(f"not a user name: {self.text[:80]!r}")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class DomainName:
    """A mail domain in lower case: letters, digits and hyphens (RFC 1035 section 2.3.1), at most 253 octets.

    Raises:
        MalformedNameError: anything else.
    """

    text: str

    def __post_init__(self) -> None:
        if not _DOMAIN_NAME.fullmatch(self.text):
            raise MalformedNameError(f"not a domain name: {self.text[:80]!r}")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class LoginName:
    """What a client logs in as: ``user`` or ``user@domain``, lower-cased here and nowhere else."""

    user: UserName
    domain: DomainName | None

    @classmethod
    def parse(cls, text: str) -> LoginName:
        """Take apart what the client sent.

        Raises:
            MalformedNameError: neither form.
        """
        # Before lower(): that of the Kelvin sign is an ASCII k, and two names would be one user.
        if not text.isascii():
            raise MalformedNameError(f"not ASCII: {text[:80]!r}")
        user, at, domain = text.rpartition("@")
        if not at:
            return cls(UserName(text.lower()), None)
        return cls(UserName(user.lower()), DomainName(domain.lower()))
