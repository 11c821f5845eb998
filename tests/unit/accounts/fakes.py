from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spool.errors import DirectoryUnavailableError, NoSuchUserError
from spool.names import DomainName, UserName


@dataclass(frozen=True)
class FakeRecord:
    """One user's record."""

    uid: int
    gid: int
    home: Path


class FakeDirectory:
    """A directory of the users yasuhi (of the service uid), own (of a uid of their own) and root, in example.org."""

    def __init__(self, *, available: bool = True) -> None:
        self.available = available
        self.records = {
            "yasuhi": FakeRecord(500, 500, Path("/spool/u/yasuhi")),
            "own": FakeRecord(1001, 100, Path("/spool/o/own")),
            "root": FakeRecord(0, 0, Path("/root")),
        }

    def user(self, name: UserName) -> FakeRecord:
        if not self.available:
            raise DirectoryUnavailableError("assign.cdb: torn")
        if name.text not in self.records:
            raise NoSuchUserError(name.text)
        return self.records[name.text]

    def belongs(self, user: UserName, domain: DomainName) -> bool:
        return domain == DomainName("example.org") and user.text in self.records
