"""The directories of one Maildir, held open, and what lies in them.

They are opened without following a link at the end, and all files are reached through the open directories: whatever
is put in a directory's place later leads nowhere.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.maildir.names import split_name
from spool.stamps import Stamp, stamp_of

PIECE_OCTETS: Final = 64 * 1024  # reading more at once is no faster, and this is what a session holds
TMP_SECONDS_MAX: Final = 36 * 60 * 60  # the maildir protocol: nobody takes longer to write a file

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK means nothing for regular files, and keeps a planted FIFO from blocking us.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Part(enum.Enum):
    """The directories that hold messages: not yet seen by a mail reader, and seen by one. Messages move downwards."""

    NEW = "new"
    CUR = "cur"


class Place(NamedTuple):
    """Where a message lies besides its base: the directory, and the info in its name."""

    part: Part
    info: str


class _PlacesIn(dict[str, Place]):
    """The places in one directory by info; a thousand messages have a dozen between them."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def __missing__(self, info: str) -> Place:
        place = self[info] = Place(self._part, info)
        return place


class Found(NamedTuple):
    """What a look at all names found.

    ``places`` has one place of each base. Where a base was seen twice, ``second_places`` has the base and the other
    place: it was moved meanwhile, or two files really have it (``spool.maildir.duplicates``).
    """

    places: dict[str, Place]
    second_places: list[tuple[str, Place]]


def open_directory(maildir: Path, name: str) -> int:
    """Open one of a Maildir's directories.

    Raises:
        OSError: it is missing, not a directory, or a symbolic link.
    """
    root = os.open(maildir, _DIRECTORY)
    try:
        return os.open(name, _DIRECTORY, dir_fd=root)
    finally:
        os.close(root)


@contextlib.contextmanager
def opened_directories(maildir: Path, *names: str) -> Iterator[list[int]]:
    """Hold several of a Maildir's directories open, all of one Maildir, and give their descriptors.

    Raises:
        OSError: as ``open_directory``.
    """
    descriptors: list[int] = []
    try:
        root = os.open(maildir, _DIRECTORY)
        try:
            descriptors.extend(os.open(name, _DIRECTORY, dir_fd=root) for name in names)
        finally:
            os.close(root)
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


class MessageDirectories:
    """``new`` and ``cur`` of one Maildir, open."""

    __slots__ = ("_descriptors", "_maildir")

    def __init__(self, maildir: Path) -> None:
        self._maildir = maildir
        self._descriptors: dict[Part, int] = {}
        try:
            for part in Part:
                self._descriptors[part] = open_directory(maildir, part.value)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close them. May be called twice."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def scan(self) -> Found:
        """Find all messages.

        Files whose names begin with a dot are nobody's mail, and so is what is no regular file. A message that moves
        from ``new`` to ``cur`` meanwhile is found there, because ``cur`` is read last and decides.
        """
        names = {part: self._names(part) for part in Part}
        places: dict[str, Place] = {}
        for part in Part:
            place_at = _PlacesIn(part)
            places.update({base: place_at[info] for base, info in map(split_name, names[part])})
        # Looking for each base before it is put in would cost a tenth of all.
        unique = len(places) == sum(map(len, names.values()))
        return Found(places, [] if unique else list(_second_places(names, places)))

    def _names(self, part: Part) -> list[str]:
        with os.scandir(self._descriptor(part)) as entries:
            return [
                name for entry in entries if (name := entry.name)[0] != "." and entry.is_file(follow_symlinks=False)
            ]

    def stamp(self, part: Part) -> Stamp:
        """Take the stamp of one of the directories."""
        return stamp_of(os.fstat(self._descriptor(part)))

    def open_file(self, base: str, place: Place) -> int:
        """Open a message for reading.

        Raises:
            FileNotFoundError: it is not, or no longer, there.
            OSError: it cannot be opened, or is a symbolic link or no regular file.
        """
        descriptor = os.open(base + place.info, _FILE, dir_fd=self._descriptor(place.part))
        try:
            durable.check_regular(descriptor, base)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def stat(self, base: str, place: Place) -> os.stat_result:
        """Look at a message's file, not through a link."""
        return os.stat(base + place.info, dir_fd=self._descriptor(place.part), follow_symlinks=False)

    def remove(self, base: str, place: Place) -> None:
        """Remove a message's file. Holds from ``sync`` of its part on.

        Raises:
            FileNotFoundError: it is not, or no longer, there.
        """
        if not durable.remove(base + place.info, dir_fd=self._descriptor(place.part)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), base + place.info)

    def move(self, base: str, place: Place, target: Place) -> None:
        """Move a message. Holds from ``sync`` of both parts on; a crash before that leaves it at one place or both.

        Raises:
            FileNotFoundError: it is not, or no longer, there.
        """
        durable.rename(
            base + place.info,
            base + target.info,
            source_dir_fd=self._descriptor(place.part),
            target_dir_fd=self._descriptor(target.part),
        )

    def rename(self, base: str, place: Place, new_base: str) -> None:
        """Give a message a new base, at the same place. Holds from ``sync`` of its part on.

        Raises:
            FileNotFoundError: it is not, or no longer, there.
        """
        descriptor = self._descriptor(place.part)
        durable.rename(base + place.info, new_base + place.info, source_dir_fd=descriptor, target_dir_fd=descriptor)

    def sync(self, part: Part) -> None:
        """Make the changes of names in one of the directories durable."""
        durable.sync_file(self._descriptor(part))

    def _descriptor(self, part: Part) -> int:
        if part not in self._descriptors:
            raise MailboxUnavailableError(f"{self._maildir}: closed already")
        return self._descriptors[part]


def _second_places(names: Mapping[Part, Sequence[str]], places: Mapping[str, Place]) -> Iterator[tuple[str, Place]]:
    for part in Part:
        for base, info in map(split_name, names[part]):
            if (place := Place(part, info)) != places[base]:
                yield base, place


def read_pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the rest of an open file."""
    while piece := os.read(descriptor, PIECE_OCTETS):
        yield piece


def sweep_tmp(maildir: Path, now: float) -> None:
    """Remove what broken deliveries left in ``tmp``: regular files neither written nor read for 36 hours.

    An empty ``tmp`` costs a handful of system calls, so every session may do it. Files that cannot be looked at or
    removed stay; nothing depends on their removal, so nothing is synced.

    Raises:
        OSError: ``tmp`` cannot be opened.
    """
    tmp = open_directory(maildir, "tmp")
    try:
        for name in _old_files(tmp, now - TMP_SECONDS_MAX):
            with contextlib.suppress(OSError):
                durable.remove(name, dir_fd=tmp)
    finally:
        os.close(tmp)


def _old_files(directory: int, before: float) -> Iterator[str]:
    for name in os.listdir(directory):
        if name.startswith("."):
            continue
        with contextlib.suppress(OSError):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            # Access times alone would do where they are kept; with noatime they are the time of creation.
            if stat.S_ISREG(status.st_mode) and max(status.st_mtime, status.st_atime) < before:
                yield name
