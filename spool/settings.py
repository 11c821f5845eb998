"""Settings of the spool: the ``[spool]`` table of ``mailspool.toml``."""

from __future__ import annotations

import functools
import string
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from spool.errors import SettingsError
from spool.layouts import layout_named
from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.quota.limits import Limit, parse_limit

MboxLock = Literal["fcntl", "flock", "dotlock"]
QuotaFull = Literal["temporary", "permanent"]
BREAK_CHARACTERS: Final = "-+=._"  # what user names may contain and extensions may begin after


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where mailboxes lie and how they are locked.

    ``maildrop`` is an ordered list of templates with ``{home}``, ``{user}``, ``{hash}`` (``homes.hash_directory``); a
    trailing slash means Maildir. The first that exists in an existing home is the mailbox; the last one, if an mbox,
    need not exist yet. ``home_link`` has ``{user}``. ``mbox_locks`` are taken in this order. ``quota`` is the limit of
    users without a line in ``control/quotas``, as ``spool.quota.limits.parse_limit`` reads it. ``expire_days`` and
    ``expire_fetched_days`` are the ages at which mail, or mail that was fetched, may be removed (``spool.expiry``).

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    root: Path
    layout: str = "letter"
    maildrop: tuple[str, ...] = ("{home}/Maildir/", "{home}/Mailbox")
    home_link: str | None = None
    dotlock_group: str | None = None
    mbox_locks: tuple[MboxLock, ...] = ("fcntl", "dotlock")
    mbox_lock_seconds: float = 30.0
    mbox_dotlock_stale_seconds: float = 300.0
    mbox_unquote: bool = True
    break_character: str = "-"
    quota: str | None = None
    quota_full: QuotaFull = "temporary"
    expire_days: int | None = None
    expire_fetched_days: int | None = None

    def __post_init__(self) -> None:
        if not self.root.is_absolute():
            raise ValueError(f"root: expected an absolute path, found {str(self.root)!r}")
        try:
            layout_named(self.layout)
        except SettingsError as error:
            raise ValueError(f"layout: {error}") from error
        if not self.maildrop:
            raise ValueError("maildrop: expected at least one template, found none")
        for text in self.maildrop:
            MaildropTemplate(text)
        if self.home_link is not None:
            _check_template("home_link", self.home_link, fields={"user"})
            if "{user}" not in self.home_link:
                raise ValueError(f"home_link: expected a path with {{user}}, found {self.home_link!r}")
        if len(set(self.mbox_locks)) != len(self.mbox_locks) or not self.mbox_locks:
            raise ValueError(f"mbox_locks: expected different locks, at least one, found {list(self.mbox_locks)}")
        if len(self.break_character) != 1 or self.break_character not in BREAK_CHARACTERS:
            raise ValueError(f"break_character: expected one of {BREAK_CHARACTERS}, found {self.break_character!r}")
        try:
            self.quota_limit  # noqa: B018 - looked at for its error
        except ValueError as error:
            raise ValueError(f"quota: {error}") from error
        self._check_numbers()

    @property
    def quota_limit(self) -> Limit | None:
        """The limit of users without a line in ``control/quotas``, None for no limit."""
        return None if self.quota is None else parse_limit(self.quota)

    @property
    def templates(self) -> tuple[MaildropTemplate, ...]:
        """The templates of ``maildrop``, in their order."""
        return _templates(self.maildrop)

    def _check_numbers(self) -> None:
        for key in ("mbox_lock_seconds", "mbox_dotlock_stale_seconds"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key)}")
        for key in ("expire_days", "expire_fetched_days"):
            if (days := getattr(self, key)) is not None and days < 1:
                raise ValueError(f"{key}: expected at least 1, found {days}")


@dataclass(frozen=True, slots=True)
class MaildropTemplate:
    """One place where a mailbox may be, for any user.

    Raises:
        ValueError: it is no template; the text begins with the settings key.
    """

    text: str

    def __post_init__(self) -> None:
        _check_template("maildrop", self.text, fields={"home", "user", "hash"})

    @property
    def kind(self) -> MailboxKind:
        """What a mailbox there is: a Maildir if the template ends in a slash, else an mbox."""
        return MailboxKind.MAILDIR if self.text.endswith("/") else MailboxKind.MBOX

    @property
    def in_home(self) -> bool:
        """Whether the place lies in the user's home."""
        return self.text.startswith("{home}/")

    def path(self, *, home: Path, user: UserName, directory: str) -> Path:
        """Say where it is for one user; ``directory`` is their ``spool.homes.hash_directory``."""
        values = {"home": str(home), "user": user.text, "hash": directory}
        if self.in_home:
            # Every delivery and every login does this; not to parse the home once more takes half the time.
            return home / self.text.removeprefix("{home}/").format_map(values)
        return Path(self.text.format_map(values))


@functools.lru_cache(maxsize=16)  # every delivery and every login asks for them
def _templates(texts: tuple[str, ...]) -> tuple[MaildropTemplate, ...]:
    return tuple(map(MaildropTemplate, texts))


def _check_template(key: str, text: str, *, fields: Collection[str]) -> None:
    """Check that a template is an absolute path, has only plain ``fields`` in braces, and does not climb."""
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{key}: {error} in {text!r}") from error
    for _, field, specification, conversion in parsed:
        if field is not None and (field not in fields or specification or conversion):
            expected = ", ".join(f"{{{name}}}" for name in sorted(fields))
            raise ValueError(f"{key}: expected only {expected} in braces, found {text!r}")
    in_home = "home" in fields and text.startswith("{home}/") and text.count("{home}") == 1
    if not (in_home or (text.startswith("/") and "{home}" not in text)) or ".." in text.split("/") or "\0" in text:
        raise ValueError(
            f"{key}: expected an absolute path without .., or one that begins with {{home}}/, found {text!r}"
        )
