"""Copying a home to another file system, octet for octet, while mail is delivered into it.

Everything is reached through open directories, and no link is followed, so that a user who changes names meanwhile
leads us nowhere. Owners, modes and times are kept. What comes while we copy may be missing in the copy; it is not in
the manifest either, which is how it is found afterwards (``spool.rehash.late_mail``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from spool import durable
from spool.errors import MailboxUnavailableError, StorageFullError
from spool.homes import MAILDIR_PARTS

_PIECE_OCTETS: Final = 1024 * 1024
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileSeen(NamedTuple):
    """A file as it was when it was copied: its size, and its time of modification in nanoseconds since 1970."""

    octets: int
    modified_ns: int


def copy_home(home: Path, target: Path, *, without: Path | None = None) -> dict[str, FileSeen]:
    """Copy a home to a place where nothing is, and read the copy again to see that it is right.

    Holds when it returns; a crash or trouble before that leaves a part of it.

    FIFOs and sockets are left out: what went through them is gone, and no octet is kept in one.

    Args:
        home: what to copy.
        target: where to.
        without: a file below the home that is left out, such as a lock.

    Returns:
        The manifest: the regular files, by their paths below the home.

    Raises:
        MailboxUnavailableError: it holds a device, or the disk did not keep what was written.
        OSError: of the disk.
    """
    with _opened(home) as source:
        status = os.fstat(source)
        durable.make_directory(target, mode=stat.S_IMODE(status.st_mode), owner=(status.st_uid, status.st_gid))
        with _opened(target) as copy:
            files: dict[str, FileSeen] = {}
            _copy_directory(source, copy, Path(), files, without)
    return files


def files_in(home: Path) -> Iterator[tuple[str, FileSeen]]:
    """Yield the regular files of a home by their paths below it, in no order, without following a link.

    Raises:
        OSError: a directory cannot be read.
    """
    with _opened(home) as directory:
        for path, _, names, descriptor in os.fwalk(".", dir_fd=directory, onerror=_fail):
            for name in names:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield os.path.normpath(f"{path}/{name}"), FileSeen(status.st_size, status.st_mtime_ns)


def _fail(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def _opened(directory: Path | str, dir_fd: int | None = None) -> Iterator[int]:
    descriptor = os.open(directory, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_directory(source: int, target: int, path: Path, files: dict[str, FileSeen], without: Path | None) -> None:
    names = os.listdir(source)
    maildir = set(MAILDIR_PARTS) <= set(names)
    # Sorted: ``cur`` comes before ``new``, and messages move the other way. So one that moves meanwhile may be missed,
    # and found later, but is not copied twice.
    for name in sorted(names):
        place = path / name
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        owner = (status.st_uid, status.st_gid)
        match stat.S_IFMT(status.st_mode):
            case stat.S_IFDIR:
                with _opened(name, source) as inner:
                    copy = Path(f"/proc/self/fd/{target}") / name
                    durable.make_directory(copy, mode=stat.S_IMODE(status.st_mode), owner=owner)
                    with _opened(name, target) as inner_copy:
                        if not (maildir and name == "tmp"):  # what lies there is not delivered yet
                            _copy_directory(inner, inner_copy, place, files, without)
                durable.set_modification_time(name, status.st_mtime_ns, dir_fd=target)
            case stat.S_IFLNK:
                durable.create_symlink(name, os.readlink(name, dir_fd=source), owner=owner, dir_fd=target)
            case stat.S_IFREG if place == without:
                pass
            case stat.S_IFREG:
                with contextlib.suppress(FileNotFoundError):
                    files[str(place)] = _copy_file(source, target, name)
            case stat.S_IFIFO | stat.S_IFSOCK:
                pass  # holds nothing that is kept: a program that needs one makes it anew
            case _:
                raise MailboxUnavailableError(f"{place}: is a device, and cannot be copied")
    durable.sync_file(target)


def _copy_file(source: int, target: int, name: str) -> FileSeen:
    descriptor = os.open(name, _FILE, dir_fd=source)
    try:
        status = os.fstat(descriptor)
        free = os.fstatvfs(target)
        if status.st_size > free.f_bavail * free.f_frsize:
            # Root's writes know no quota: a file of holes could fill the disk for everybody.
            raise StorageFullError(f"{name}: {status.st_size} octets, more than the new file system has room for")
        digest = hashlib.sha256()
        octets = durable.create_file(
            name,
            _pieces(descriptor, digest),
            owner=(status.st_uid, status.st_gid),
            dir_fd=target,
            modified_ns=status.st_mtime_ns,
        )
    finally:
        os.close(descriptor)
    copy = os.open(name, _FILE, dir_fd=target)
    try:
        if stat.S_IMODE(os.fstat(copy).st_mode) != stat.S_IMODE(status.st_mode):
            durable.change_attributes(copy, mode=stat.S_IMODE(status.st_mode))
        again = hashlib.sha256()
        for _ in _pieces(copy, again):
            pass
    finally:
        os.close(copy)
    if again.digest() != digest.digest():
        raise MailboxUnavailableError(f"{name}: reads otherwise than it was written")
    return FileSeen(octets, status.st_mtime_ns)


def _pieces(descriptor: int, digest: hashlib._Hash) -> Iterator[bytes]:
    while piece := os.read(descriptor, _PIECE_OCTETS):
        digest.update(piece)
        yield piece
