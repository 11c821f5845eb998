"""Homes: finding the mailbox in one, and making both for a new user.

Deliveries and logins find a mailbox by the same function. It makes nothing: a home that is not there is on a disk that
is not mounted, or moved a moment ago, and the mail must wait for it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from spool import durable
from spool.errors import HomeUnavailableError, MailboxUnavailableError, RosterError
from spool.layouts import layout_named
from spool.mailbox import MailboxKind, MailboxLocation
from spool.moved_homes import home_behind
from spool.names import UserName
from spool.settings import MaildropTemplate, SpoolSettings

STATE_DIRECTORY: Final = ".mailspool"
MAILDIR_PARTS: Final = ("tmp", "new", "cur")
_LOOK: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOKS: Final = 3
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")


def locate_mailbox(user: UserName, *, uid: int, gid: int, home: Path, settings: SpoolSettings) -> MailboxLocation:
    """Find a user's mailbox: the first template that exists, or the last one if it is an mbox.

    Symbolic links are not followed, neither as the home nor in it; but for the one that stands where the home was
    before it was moved (``spool.moved_homes``). Then the home in the answer is where it is now.

    Args:
        user: whose mailbox.
        uid: who must own the home.
        gid: recorded in the answer.
        home: as it stands in the assign record.
        settings: of the spool.

    Raises:
        HomeUnavailableError: the home, or the directory of an mbox outside of it, is missing or not the user's.
        MailboxUnavailableError: something else stands where the mailbox should, or it cannot be looked at.
    """
    with opened_home(home, uid, moved_below=settings.root) as (descriptor, place):
        return mailbox_in(descriptor, place, user=user, uid=uid, gid=gid, settings=settings)


def mailbox_in(
    descriptor: int, home: Path, *, user: UserName, uid: int, gid: int, settings: SpoolSettings
) -> MailboxLocation:
    """Find a user's mailbox as ``locate_mailbox`` does, in a home that is open (``opened_home``).

    Args:
        descriptor: of the open home.
        home: where it is.
        user: whose mailbox.
        uid: whose the home is.
        gid: recorded in the answer.
        settings: of the spool.

    Raises:
        HomeUnavailableError: the directory of an mbox outside of the home is missing.
        MailboxUnavailableError: something else stands where the mailbox should, or it cannot be looked at.
    """
    for template in settings.templates:
        location = _location(template, user, uid, gid, home, settings, found=True)
        base = descriptor if template.in_home else None
        mode = _mode(location.path, base, home)
        if mode is not None:
            _check_kind(location, mode)
            return location
    if location.kind is MailboxKind.MAILDIR:
        raise MailboxUnavailableError(f"{home}: none of {', '.join(settings.maildrop)} is there")
    if not template.in_home and not location.path.parent.is_dir():
        raise HomeUnavailableError(f"{location.path.parent}: no such directory")
    return replace(location, found=False)


def location_of_kind(
    kind: MailboxKind | None, user: UserName, *, uid: int, gid: int, home: Path, settings: SpoolSettings
) -> MailboxLocation:
    """Say where a new user's mailbox shall be: at the first template of this kind, or at the first of all.

    Raises:
        RosterError: there is no template of the kind.
    """
    templates = [template for template in settings.templates if kind in {None, template.kind}]
    if not templates:
        raise RosterError(f"none of {', '.join(settings.maildrop)} is for this kind of mailbox")
    return _location(templates[0], user, uid, gid, home, settings)


def possible_locations(
    user: UserName, *, uid: int, gid: int, home: Path, settings: SpoolSettings
) -> tuple[MailboxLocation, ...]:
    """Say where the templates put a user's mailbox, in their order, each place once, whatever is there."""
    locations = (_location(template, user, uid, gid, home, settings) for template in settings.templates)
    return tuple({location.path: location for location in locations}.values())


def hash_directory(user: UserName, home: Path, settings: SpoolSettings) -> str:
    """Say what ``{hash}`` is in a user's templates: the directory, below the spool root, that their home lies in.

    So it is where the layout of the day put the user, as the assign record keeps it, and is not computed again. Only
    for a home outside of the root, of which no record says it, the present layout is asked.
    """
    parent, root = str(home.parent), f"{str(settings.root).rstrip('/')}/"
    return parent[len(root) :] if f"{parent}/".startswith(root) else layout_named(settings.layout).directory(user)


def make_home(home: Path, *, uid: int, gid: int, root: Path) -> None:
    """Make a home with mode 0700 and in it the directory for our own files; between ``root`` and it what is missing.

    Holds when it returns. A crash before that leaves some of the directories, perhaps not yet the user's; running it
    again finishes the work. Directories between get the owner and the mode of ``root``.

    Raises:
        SpoolError: something could not be made, or stands in the way.
    """
    with durable.storage_errors(home):
        if root in home.parents:
            _make_between(root, home)
        _make_directory(home, 0o700, (uid, gid))
        _make_directory(home / STATE_DIRECTORY, 0o700, (uid, gid))


def make_mailbox(location: MailboxLocation) -> None:
    """Make an empty mailbox where there is none, in a home that is there: mode 0700 or 0600, owned by the user.

    Holds when it returns. A crash before that may leave a part of a Maildir; running it again finishes the work.
    Run by root it follows no link that the user may have planted in the home: each directory on the way is opened from
    the one before, and what is made in it is named through the descriptor.

    Raises:
        SpoolError: it could not be made, or something else stands in the way.
    """
    owner = (location.uid, location.gid)
    with contextlib.ExitStack() as stack, durable.storage_errors(location.path):
        parent = location.path.parent
        if location.home in location.path.parents:
            directory, _ = stack.enter_context(opened_home(location.home, location.uid))
            for part in parent.relative_to(location.home).parts:
                _make_directory(_through(directory) / part, 0o700, owner)
                directory = _entered(stack, part, directory)
            parent = _through(directory)
        else:
            _make_between(next(path for path in location.path.parents if path.is_dir()), location.path)
        place = parent / location.path.name
        match location.kind:
            case MailboxKind.MAILDIR:
                _make_directory(place, 0o700, owner)
                maildir = _through(_entered(stack, str(place), None))
                for part in MAILDIR_PARTS:
                    _make_directory(maildir / part, 0o700, owner)
            case MailboxKind.MBOX:
                try:
                    durable.create_file(place, (), owner=owner)
                except FileExistsError:
                    _check_kind(location, place.lstat().st_mode)
                durable.sync_directory(parent)
            case _:
                assert_never(location.kind)


def _location(
    template: MaildropTemplate,
    user: UserName,
    uid: int,
    gid: int,
    home: Path,
    settings: SpoolSettings,
    *,
    found: bool = False,
) -> MailboxLocation:
    directory = hash_directory(user, home, settings) if "{hash}" in template.text else ""
    return MailboxLocation(
        user=user,
        uid=uid,
        gid=gid,
        home=home,
        path=template.path(home=home, user=user, directory=directory),
        kind=template.kind,
        state=home / STATE_DIRECTORY,
        # With the user in it: two users of one home may have two mailboxes, or one.
        state_name=state_name(template.text.replace("{user}", user.text)),
        found=found,
    )


@functools.lru_cache(maxsize=1024)
def state_name(text: str) -> str:
    """Name a mailbox for files in the home: from its template's text, which stays when homes and directories move."""
    text = str(Path(text))
    return f"{_UNSAFE.sub('_', Path(text).name)[:32]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def opened_home(home: Path, uid: int, *, moved_below: Path | None = None) -> Iterator[tuple[int, Path]]:
    """Hold a home open (``O_PATH``), or what it was moved to, and give its descriptor and its path.

    Args:
        home: as it stands in the assign record.
        uid: who must own it.
        moved_below: the spool root, below which the home may have been moved.

    Raises:
        HomeUnavailableError: it is missing, a link of somebody else's, or not the user's.
    """
    try:
        descriptor, home = open_home(home, moved_below)
    except OSError as error:
        raise HomeUnavailableError(f"{home}: {error.strerror}") from error
    try:
        owner = os.fstat(descriptor).st_uid
        if owner != uid:
            raise HomeUnavailableError(f"{home}: expected owner {uid}, found {owner}")
        yield descriptor, home
    finally:
        os.close(descriptor)


def open_home(home: Path, root: Path | None) -> tuple[int, Path]:
    """Open a home (``O_PATH``), or what it was moved to below ``root``; whose it is, is the caller's to check.

    Returns:
        The descriptor, the caller's to close, and the path.

    Raises:
        OSError: it cannot be opened, or is a link of somebody else's.
    """
    if root is not None:
        for _ in range(_LOOKS):
            with contextlib.suppress(NotADirectoryError):  # as the kernel calls a link that is not to be followed
                return os.open(home, _LOOK), home
            # What is not behind the link either may be on its way back: then it is here again.
            if (behind := home_behind(home, root)) is not None:
                with contextlib.suppress(OSError):
                    return os.open(behind, _LOOK), behind
    return os.open(home, _LOOK), home


def _mode(path: Path, base: int | None, home: Path) -> int | None:
    """Look at a path, if it lies in a home that is open, through that; None if it is missing."""
    try:
        if base is None:
            return path.lstat().st_mode
        if path.parent == home:
            return os.stat(path.name, dir_fd=base, follow_symlinks=False).st_mode
        with contextlib.ExitStack() as stack:
            for part in path.parent.relative_to(home).parts:
                base = _entered(stack, part, base)
            return os.stat(path.name, dir_fd=base, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MailboxUnavailableError(f"{path}: {error}") from error


def _check_kind(location: MailboxLocation, mode: int) -> None:
    match location.kind:
        case MailboxKind.MAILDIR:
            right = stat.S_ISDIR(mode)
        case MailboxKind.MBOX:
            right = stat.S_ISREG(mode)
        case _:
            assert_never(location.kind)
    if not right:
        raise MailboxUnavailableError(f"{location.path}: expected {location.kind.value}, found {stat.filemode(mode)}")


def _entered(stack: contextlib.ExitStack, path: str, base: int | None) -> int:
    """Open a directory, below another if that is given; the stack closes it."""
    descriptor = os.open(path, _LOOK, dir_fd=base)
    stack.callback(os.close, descriptor)
    return descriptor


def _through(descriptor: int) -> Path:
    """Name an open directory: what is below this path is below that directory, whatever happens to its names."""
    return Path(f"/proc/self/fd/{descriptor}")


def _make_between(base: Path, path: Path) -> None:
    """Make what is missing between two paths, like the upper one."""
    status = base.stat()
    for directory in reversed(path.parents):
        if base in directory.parents:
            _make_directory(directory, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def _make_directory(path: Path, mode: int, owner: tuple[int, int]) -> None:
    """Make a directory unless it is there. An empty one that is ours was left by a crash, and is given to its owner."""
    try:
        durable.make_directory(path, mode=mode, owner=owner)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise
        if status.st_uid == owner[0]:
            return
        if status.st_uid != os.geteuid() or any(path.iterdir()):
            raise
        durable.set_directory_attributes(path, mode=mode, owner=owner)
