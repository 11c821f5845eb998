"""Who gets the message: users in domains, and which of them hang in a run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

USERS = 2000
DOMAINS = tuple(f"domain{number}.example" for number in range(8))
HUNG_HOMES = 20
FIRST_UID = 21_000
HANGING = "|sleep 86400\n"


@dataclass(frozen=True)
class Hangs:
    """How many users have a program that hangs, and whether the homes that can hang do."""

    programs: int = 0
    homes: bool = False

    def __str__(self) -> str:
        return f"{self.programs} programs, {HUNG_HOMES if self.homes else 0} homes"


class Population:
    """The users, their homes, and what is in them. Homes that can hang lie on a mount point of their own.

    Args:
        data: where the homes are made; other servers find all of them at ``data/NAME``.
        owner: uid and gid of everybody, None where each has their own.
    """

    def __init__(self, data: Path, owner: tuple[int, int] | None) -> None:
        self.data = data
        self.hung_directory = data / "hung"
        self._owner = owner
        self.names = tuple(f"user{number:05d}" for number in range(USERS))
        step = USERS // HUNG_HOMES
        self._can_hang = frozenset(self.names[step // 2 :: step])

    def address(self, name: str) -> str:
        """The address of a user; the domains take turns."""
        return f"{name}@{DOMAINS[int(name[-5:]) % len(DOMAINS)]}"

    def owner(self, name: str) -> tuple[int, int]:
        """Uid and gid of a user."""
        number = FIRST_UID + int(name[-5:])
        return self._owner or (number, number)

    def home(self, name: str) -> Path:
        """Where a user's home is."""
        return (self.hung_directory if name in self._can_hang else self.data) / name

    def new(self, name: str) -> Path:
        """Where a user's message arrives."""
        return self.home(name) / "Maildir" / "new"

    def make(self) -> None:
        """Make all homes, empty."""
        shutil.rmtree(self.data, ignore_errors=True)
        for directory in (self.data, self.hung_directory):
            directory.mkdir(parents=True)
            directory.chmod(0o755)
        for name in self.names:
            home = self.home(name)
            maildir = home / "Maildir"
            for path in (home, maildir, maildir / "tmp", maildir / "new", maildir / "cur"):
                path.mkdir(mode=0o700)
                os.chown(path, *self.owner(name))
            if name in self._can_hang:
                (self.data / name).symlink_to(home)

    def hung(self, hangs: Hangs) -> frozenset[str]:
        """Who does not get the message: spread evenly, so that each domain and each transaction has some."""
        others = [name for name in self.names if name not in self._can_hang]
        programs = {others[number * len(others) // hangs.programs] for number in range(hangs.programs)}
        return frozenset(programs | (self._can_hang if hangs.homes else frozenset()))

    def prepare(self, hangs: Hangs) -> None:
        """Empty the maildrops, and give those who shall hang a program that does; homes are hung by mounting."""
        programs = self.hung(Hangs(hangs.programs))
        for name in self.names:
            for left in self.new(name).iterdir():
                left.unlink()
            instructions = self.home(name) / ".qmail"
            instructions.unlink(missing_ok=True)
            if name in programs:
                instructions.write_text(HANGING)
                os.chown(instructions, *self.owner(name))
        os.sync()
