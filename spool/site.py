"""A site: the directory with everything that is particular to one installation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_SITE: Final = Path("/etc/mailspool")


@dataclass(frozen=True, slots=True)
class Site:
    """Names the files of a site; each datum has one home among them.

    ``mailspool.toml`` holds scalars and structure, ``control/`` the lists that scripts maintain.
    """

    directory: Path

    @property
    def settings_file(self) -> Path:
        """The settings."""
        return self.directory / "mailspool.toml"

    @property
    def control(self) -> Path:
        """The directory of the lists."""
        return self.directory / "control"

    @property
    def assign(self) -> Path:
        """The assignments as text: the source of ``assign_compiled``."""
        return self.control / "assign"

    @property
    def assign_compiled(self) -> Path:
        """The assignments as a constant database: what deliveries and logins ask."""
        return self.control / "assign.cdb"

    @property
    def assign_lock(self) -> Path:
        """Locked by whoever changes assignments or domains."""
        return self.control / "assign.lock"

    @property
    def locals(self) -> Path:
        """The local domains."""
        return self.control / "locals"

    @property
    def domains(self) -> Path:
        """Which users belong to which local domains."""
        return self.control / "domains"

    @property
    def quotas(self) -> Path:
        """The limits of single users' mailboxes."""
        return self.control / "quotas"

    @property
    def programs(self) -> Path:
        """How many programs of single users may run, and how long."""
        return self.control / "programs"

    @property
    def passwd(self) -> Path:
        """The password verifiers."""
        return self.control / "passwd"

    @property
    def apop(self) -> Path:
        """The APOP secrets."""
        return self.control / "apop"

    @property
    def certificates(self) -> Path:
        """Which client certificate logs in as whom."""
        return self.control / "certificates"

    @property
    def maintenance(self) -> Path:
        """Where operations on many mailboxes keep their lock, journals and undo records (``spool.maintenance``)."""
        return self.directory / "maintenance"
