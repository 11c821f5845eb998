"""A home with instruction files, for tests."""

from __future__ import annotations

import os
from pathlib import Path

from delivery.environment import Recipient
from delivery.home_files import HomeFiles
from spool.names import UserName
from spool.settings import SpoolSettings


class TestHome:
    """The home of joe, with a Maildir; uid and gid are ours."""

    __test__ = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "j" / "joe"
        for part in ("tmp", "new", "cur"):
            (self.path / "Maildir" / part).mkdir(parents=True)
        self.path.chmod(0o700)
        self.descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        self.settings = SpoolSettings(root)

    def close(self) -> None:
        os.close(self.descriptor)

    def files(self, *, follow_links: bool = True) -> HomeFiles:
        return HomeFiles(self.path, self.descriptor, follow_links=follow_links)

    def recipient(self, extension: str | None = None) -> Recipient:
        local = "joe" if extension is None else f"joe-{extension}"
        dash = "" if extension is None else "-"
        return Recipient(local, "a.org", UserName("joe"), os.geteuid(), os.getegid(), self.path, dash, extension or "")

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        file = self.path / name
        file.write_text(text)
        file.chmod(mode)
        return file

    def mail(self) -> list[bytes]:
        return [file.read_bytes() for file in (self.path / "Maildir" / "new").iterdir()]
