"""What only all users together show: homes in homes, shared homes, layouts, file systems.

Memory is some 60 octets a user: of a home only a hash is kept. Whose it is the directory of users tells, if it is
called like its user; homes that are called otherwise are few, and kept.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.checking import kinds
from spool.checking.findings import Finding
from spool.checking.view import Home, View
from spool.errors import MalformedNameError, NoSuchUserError
from spool.layouts import layout_named
from spool.mailbox import MailboxKind
from spool.names import UserName


class Census:
    """Goes over all users once when it is made, and is then told of each."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._layout = layout_named(view.settings.layout)
        self._root = str(view.settings.root).rstrip("/")
        self._hashes: set[int] = set()
        self._odd: dict[str, UserName] = {}
        self.users = 0
        self.mbox_directories: set[Path] = set()
        for user, record in view.directory.users():
            self.users += 1
            self._hashes.add(hash(str(record.home)))
            if record.home.name != user.text:
                self._odd.setdefault(str(record.home), user)
        self._elsewhere = 0
        self._example: UserName | None = None
        self._below_root = 0
        self._devices: Counter[int] = Counter()
        self._example_of_device: dict[int, Path] = {}

    def owner_of(self, home: str) -> UserName | None:
        """Say whose home a path was when the users were gone over; of several users one of them."""
        return self.present_owner_of(home) if hash(home) in self._hashes else None

    def present_owner_of(self, home: str) -> UserName | None:
        """Say whose home a path is by now, if it is called like its user; a home that is not, as it was."""
        return self._odd.get(home) or _called_like(home, self._view.directory)

    def check_assignment(self, user: UserName, record: AssignRecord) -> Iterator[Finding]:
        """Say if the home is not the user's alone, or lies in another one."""
        home = str(record.home)
        if record.home.name != user.text:
            other = _called_like(home, self._view.directory) or self._odd[home]
            if other != user:
                yield Finding(kinds.HOME_SHARED, record.home, f"also of {other}", user)
        above = os.path.dirname(home)  # noqa: PTH120 (Path would make an object for each step)
        while above != "/":
            if (owner := self.owner_of(above)) is not None:
                yield Finding(kinds.HOME_IN_HOME, record.home, f"lies in {above}, the home of {owner}", user)
            above = os.path.dirname(above)  # noqa: PTH120

    def count_place(self, user: UserName, record: AssignRecord) -> None:
        """Note where the home is; to be called once for each user."""
        if self._view.is_below_root(record.home):
            self._below_root += 1
            # As text: of very many users.
            directory = self._layout.directory(user)
            home = f"{self._root}/{directory}/{user}" if directory else f"{self._root}/{user}"
            if home != str(record.home):
                self._elsewhere += 1
                self._example = self._example or user

    def count_home(self, home: Home) -> None:
        """Note which file system the home is on, and which directories have mboxes; once for each home."""
        above = f"{home.path}/"
        self.mbox_directories.update(
            location.path.parent
            for location in home.locations
            if location.kind is MailboxKind.MBOX and not str(location.path).startswith(above)
        )
        device = home.status.st_dev
        self._devices[device] += 1
        self._example_of_device.setdefault(device, home.path)

    @property
    def examples(self) -> tuple[Path, ...]:
        """A home on each file system that has some."""
        return tuple(self._example_of_device.values())

    def findings(self) -> Iterator[Finding]:
        """What the users come to; to be asked in the end."""
        root = self._view.settings.root
        if self._elsewhere and not self._view.rehash.is_open:
            yield Finding(
                kinds.LAYOUT_DIFFERS,
                root,
                f"{self._elsewhere} of {self._below_root} homes, such as that of {self._example}, "
                f"are not where the layout {self._layout.name} would put them",
            )
        try:
            device = root.stat().st_dev
        except OSError:
            return  # another check says so
        for other, homes in self._devices.items():
            if other != device:
                example = self._example_of_device[other]
                yield Finding(kinds.OTHER_FILE_SYSTEM, example, f"{homes} homes, such as this one")


def _called_like(home: str, directory: AssignDirectory) -> UserName | None:
    """The user whose home this is and who is called like it."""
    try:
        user = UserName(os.path.basename(home))  # noqa: PTH119
        record = directory.user(user)
    except (MalformedNameError, NoSuchUserError):
        return None
    return user if str(record.home) == home else None
