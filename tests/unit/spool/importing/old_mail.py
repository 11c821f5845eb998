"""Old mail, and importing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spool.importing.importer import import_spool
from spool.importing.old_spool import old_layout_named
from spool.importing.options import Imported, ImportOptions, UserImported
from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.progress import NoProgress
from tests.small_site import SmallSite

FROM = b"From sender@example.org Thu Jan  1 00:%02d:%02d 2015\n"


def old_message(number: int) -> bytes:
    """A message in an old mbox; of the same number, the same."""
    return FROM % divmod(number, 60) + b"Subject: %d\n\nbody %d\n\n" % (number, number)


def old_mbox(numbers: Sequence[int]) -> bytes:
    return b"".join(map(old_message, numbers))


def shown(numbers: Sequence[int]) -> list[bytes]:
    """What POP3 shows of them."""
    return [b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number) for number in numbers]


@dataclass(frozen=True)
class Old:
    """An old spool, and a site with the user ann."""

    site: SmallSite
    options: ImportOptions

    @property
    def mbox(self) -> Path:
        return self.options.old_spool / "ann"

    @property
    def drop(self) -> Path:
        return self.options.old_spool / ".ann.pop"

    @property
    def aside(self) -> Path:
        return self.options.old_spool / ".ann.mailspool-aside"

    def run(self, **changes: object) -> Imported:
        options = replace(self.options, **changes)  # type: ignore[arg-type]
        return import_spool(self.site.site, self.site.settings, options, NoProgress(), uid_min=0)

    def ann(self, **changes: object) -> UserImported:
        """What came of the one user's mail."""
        [user] = self.run(users=(UserName("ann"),), **changes).users
        return user

    def octets(self) -> list[bytes]:
        return self.site.octets("ann")


def old_spool_in(directory: Path, kind: MailboxKind) -> Old:
    """Make an empty one."""
    site = SmallSite(directory / "site").make().add("ann", kind)
    (directory / "old").mkdir()
    return Old(site, ImportOptions(directory / "old", old_layout_named("flat")))
