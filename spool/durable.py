"""The one place where the spool makes, moves and removes files.

**Instants.** A file's octets are on disk once the file is synced; its name, its move or its removal once the directory
is synced. Each function says which of the two it has done when it returns. Of changes not synced, a crash may keep or
lose any, in any order.

**Errors.** The functions raise the ``OSError`` of the system call that failed, because only the caller knows what a
``FileExistsError`` or a missing file means there. What a caller has no meaning for, it lets ``storage_errors`` turn
into the ``SpoolError`` it is: once, around the whole operation.

Every system call is made as ``os.<name>`` or ``system_calls.<name>``, so that the crash tests can put counting ones in
this module.
"""

# pathlib makes its system calls where the crash tests would not count them:
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH211

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from spool import system_calls
from spool.errors import DiskQuotaError, MailboxUnavailableError, SpoolError, StorageFullError

_KINDS: Final[Mapping[int, type[SpoolError]]] = {errno.ENOSPC: StorageFullError, errno.EDQUOT: DiskQuotaError}
# Nobody's planted link is followed, and nobody's planted FIFO blocks us: O_NONBLOCK means nothing for regular files.
_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SYNC: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into the ``SpoolError`` it means for the mailbox at ``path``.

    Raises:
        StorageFullError: no space left, or as ``DiskQuotaError`` no quota.
        MailboxUnavailableError: any other ``OSError``.
    """
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, MailboxUnavailableError)
        raise kind(f"{path}: {error}") from error


# -- directories ------------------------------------------------------------------------------------------------------


def sync_directory(path: Path) -> None:
    """Make every change of names in a directory durable.

    Holds when it returns: whatever was created, renamed into, out of, or removed from ``path`` before is on disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Make every change on the file system of a directory durable: of names, of directories, of octets.

    Holds when it returns. One call costs about as much as ``sync_directory`` for one directory, and waits for what
    other programs have written, too.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        system_calls.sync_file_system(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, mode: int = 0o700, owner: tuple[int, int] | None = None) -> None:
    """Make one directory with exactly this mode, whatever the umask, and with this ``(uid, gid)``.

    Holds when it returns: the directory and its name are on disk. A crash before that may leave no directory, or one
    with a narrower mode and our own uid.

    Raises:
        FileExistsError: the name is taken, by whatever.
    """
    os.mkdir(path, mode & 0o700)
    set_directory_attributes(path, mode=mode, owner=owner)
    sync_directory(path.parent)


def create_directory(path: Path | str, *, mode: int, owner: tuple[int, int]) -> None:
    """Make one directory with exactly this mode and with this ``(uid, gid)``; nothing is synced.

    Holds from the caller's ``sync_file_system`` on. A crash before that may leave no directory, or one with a narrower
    mode and our own uid.

    Raises:
        FileExistsError: the name is taken, by whatever.
    """
    os.mkdir(path, mode & 0o700)
    descriptor = os.open(path, _DIRECTORY)
    try:
        # Of very many directories: what is right already costs only the look at it.
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != owner:
            os.fchown(descriptor, *owner)
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def set_directory_attributes(path: Path, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Give a directory this mode and this ``(uid, gid)``. Holds when it returns; a crash before may leave either."""
    descriptor = os.open(path, _DIRECTORY)
    try:
        _set_attributes(descriptor, mode, owner)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> bool:
    """Remove a directory and all it holds, without following a symbolic link anywhere.

    Holds when it returns. A crash before that leaves a part of the tree; running it again removes the rest.

    Returns:
        False if there was no such directory.
    """
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_directory(parent, path.name)
        os.fsync(parent)
    except FileNotFoundError:
        return False
    finally:
        os.close(parent)
    return True


def _remove_directory(parent: int, name: str) -> None:
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        with os.scandir(descriptor) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for entry_name, is_directory in found:
            if is_directory:
                _remove_directory(descriptor, entry_name)
            else:
                os.unlink(entry_name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)


# -- whole files ------------------------------------------------------------------------------------------------------


def create_file(
    path: Path | str,
    pieces: Iterable[bytes],
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    dir_fd: int | None = None,
    modified_ns: int | None = None,
) -> int:
    """Create a file that must not exist, with all of ``pieces`` in it; the umask narrows ``mode``.

    A relative ``path`` starts at the open directory ``dir_fd``, here and in the other functions that have one. With
    ``modified_ns`` it looks as if it was written then, in nanoseconds since 1970.

    When it returns the octets are on disk; the name is not until the caller syncs the directory. When it fails, or
    ``pieces`` does, the file is removed. A crash before it returns may leave a file that holds anything.

    Returns:
        The octets written.

    Raises:
        FileExistsError: the name is taken, by whatever; nothing was touched.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, mode, dir_fd=dir_fd)
    try:
        if owner is not None:
            os.fchown(descriptor, *owner)
        return _fill(descriptor, pieces, modified_ns)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path, dir_fd=dir_fd)
        raise
    finally:
        os.close(descriptor)


def replace_file(
    path: Path, pieces: Iterable[bytes], *, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Put a file with exactly this content, mode and ``(uid, gid)`` in the place of ``path``, or where nothing was.

    Readers see the old file or the new one, each whole. Holds when it returns. A crash before that leaves the old or
    the new one, and may leave a file ``.NAME.RANDOM.new`` beside it, which nobody reads.
    """
    temporary = _temporary_name(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600)
    try:
        try:
            _set_attributes(descriptor, mode, owner)
            _fill(descriptor, pieces)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(path.parent)


def put_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Put a file of ours alone with exactly this content in the place of ``path``, or where nothing was; not synced.

    Readers see the old file or the new one, each whole, until a crash, which may leave anything of either, and a file
    ``.NAME.RANDOM.new`` beside it. So this is for what can be made again, and tells by itself whether it is whole.
    """
    temporary = _temporary_name(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600)
    try:
        try:
            for piece in pieces:
                write_all(descriptor, piece)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def make_symlink(path: Path, target: str) -> None:
    """Put a symbolic link to ``target`` in the place of ``path``, which is a link or nothing.

    Holds when it returns. A crash before that leaves what was there or the new link, and may leave a link
    ``.NAME.RANDOM.new`` beside it.
    """
    replace_symlink(path, target)
    sync_directory(path.parent)


def replace_symlink(path: Path, target: str) -> None:
    """As ``make_symlink``, but it holds from the caller's sync of the directory on."""
    temporary = _temporary_name(path)
    os.symlink(target, temporary)
    try:
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def create_symlink(
    name: Path | str, target: str, *, owner: tuple[int, int] | None = None, dir_fd: int | None = None
) -> None:
    """Make a symbolic link that must not exist. Holds from the caller's sync of the directory on.

    Raises:
        FileExistsError: the name is taken, by whatever.
    """
    os.symlink(target, name, dir_fd=dir_fd)
    if owner is not None:
        os.chown(name, *owner, dir_fd=dir_fd, follow_symlinks=False)


# -- names ------------------------------------------------------------------------------------------------------------


def rename(
    source: Path | str, target: Path | str, *, source_dir_fd: int | None = None, target_dir_fd: int | None = None
) -> None:
    """Rename within one file system, replacing ``target``; at every moment one of the names is there.

    Holds from the caller's sync of both directories on; a crash before that leaves one name or the other, and both
    only if the directories differ.
    """
    os.rename(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd)


def exchange(one: Path, other: Path) -> None:
    """Let two names of one file system, of whatever kind, change places: each is there at every moment.

    Holds from the caller's sync of both directories on; a crash before that leaves all of it or nothing.

    Raises:
        OSError: with ``ENOSYS`` or ``EINVAL`` if the kernel or the file system cannot, ``EXDEV`` if these are two.
    """
    system_calls.exchange(one, other)


def remove(path: Path | str, *, dir_fd: int | None = None) -> bool:
    """Remove a file's name. Holds from the caller's sync of the directory on.

    Returns:
        False if it was not there.
    """
    try:
        os.unlink(path, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True


def link(
    source: Path | str, target: Path | str, *, source_dir_fd: int | None = None, target_dir_fd: int | None = None
) -> None:
    """Give a file, or a symbolic link itself, a second name, which must not exist.

    Holds from the caller's sync of the target's directory on.

    Raises:
        FileExistsError: the name is taken, by whatever.
    """
    os.link(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd, follow_symlinks=False)


def remove_directory(path: Path | str, *, dir_fd: int | None = None) -> None:
    """Remove an empty directory. Holds from the caller's sync of the one it lies in on.

    Raises:
        OSError: it holds something (``ENOTEMPTY``), or is no directory.
    """
    os.rmdir(path, dir_fd=dir_fd)


# -- open files -------------------------------------------------------------------------------------------------------


def open_for_append(path: Path, *, create_mode: int | None = None) -> int:
    """Open a regular file so that every write goes to its end, wherever that is by then.

    Args:
        path: the file; a symbolic link is refused (``OSError`` with ``ELOOP``).
        create_mode: make a missing file with this mode, narrowed by the umask; its name is on disk when this returns.

    Returns:
        The descriptor, the caller's to close.

    Raises:
        FileNotFoundError: it is missing and ``create_mode`` is None.
        OSError: with ``EINVAL`` if it is no regular file.
    """
    return _open_regular(path, os.O_WRONLY | os.O_APPEND, create_mode)


def open_for_update(
    path: Path | str, *, create_mode: int | None = None, lasting: bool = True, dir_fd: int | None = None
) -> int:
    """Open a regular file for reading and for writing anywhere; otherwise as ``open_for_append``.

    A file that is made and is not ``lasting`` has a name that a power cut may take away again.
    """
    return _open_regular(path, os.O_RDWR, create_mode, lasting=lasting, dir_fd=dir_fd)


def change_attributes(descriptor: int, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Give a file or directory, open with ``O_PATH`` or otherwise, this mode or this ``(uid, gid)``.

    Whoever may change them may do so without the right to read the file. Holds when it returns.

    Raises:
        OSError: it is not ours to change, or cannot be synced.
    """
    path = f"/proc/self/fd/{descriptor}"
    # To be synced it must be opened for reading, which may be permitted only before, or only after the change.
    opened = _open_for_sync(path)
    try:
        if owner is not None:
            os.chown(path, *owner)
        if mode is not None:
            os.chmod(path, mode)
        if opened is None:
            opened = os.open(path, _SYNC)
        os.fsync(opened)
    finally:
        if opened is not None:
            os.close(opened)


def _open_for_sync(path: str) -> int | None:
    try:
        return os.open(path, _SYNC)
    except PermissionError:
        return None


def set_modification_time(name: str, nanoseconds: int, *, dir_fd: int) -> None:
    """Let a file, or a symbolic link itself, look as if it was written then (since 1970). Not synced."""
    os.utime(name, ns=(nanoseconds, nanoseconds), dir_fd=dir_fd, follow_symlinks=False)


def check_regular(descriptor: int, name: str) -> None:
    """See that an open file is a regular one; ``name`` is for the error.

    Raises:
        OSError: with ``EINVAL`` if it is not.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", name)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data`` at the file's position, or at its end if it was opened for append.

    Holds from ``sync_file`` on. A failure or a crash may leave any part of it written.
    """
    written = os.write(descriptor, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` from ``offset`` on. Holds, fails and crashes as ``write_all``."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def truncate(descriptor: int, octets: int) -> None:
    """Cut the file, or extend it with zeros, to ``octets``. Holds from ``sync_file`` on."""
    os.ftruncate(descriptor, octets)


def sync_file(descriptor: int) -> None:
    """Make the file's octets and size durable. Holds when it returns; the file's name is another matter.

    With the descriptor of a directory, as ``sync_directory``.
    """
    os.fsync(descriptor)


def _open_regular(
    path: Path | str, flags: int, create_mode: int | None, *, lasting: bool = True, dir_fd: int | None = None
) -> int:
    made = False
    try:
        # Only where it matters whether the name is new, it takes two calls to know it.
        create = 0 if lasting or create_mode is None else os.O_CREAT
        descriptor = os.open(path, flags | create | _SAFELY, create_mode or 0, dir_fd=dir_fd)
    except FileNotFoundError:
        if create_mode is None or not lasting:
            raise
        descriptor = os.open(path, flags | os.O_CREAT | _SAFELY, create_mode, dir_fd=dir_fd)
        made = True
    try:
        if made:
            _sync_names(path, dir_fd)
        check_regular(descriptor, str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync_names(path: Path | str, dir_fd: int | None) -> None:
    if dir_fd is None:
        sync_directory(Path(path).parent)
    else:
        os.fsync(dir_fd)


def _fill(descriptor: int, pieces: Iterable[bytes], modified_ns: int | None = None) -> int:
    octets = 0
    for piece in pieces:
        write_all(descriptor, piece)
        octets += len(piece)
    if modified_ns is not None:
        os.utime(descriptor, ns=(modified_ns, modified_ns))
    os.fsync(descriptor)
    return octets


def _set_attributes(descriptor: int, mode: int, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)  # after fchown, which clears set-id bits


def _temporary_name(path: Path) -> Path:
    # Random, so that two writers never share one file, and a file left by a crash is in nobody's way.
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
