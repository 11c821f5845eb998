"""What lies in an old spool: mboxes, flat or hashed, and what qpopper keeps beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spool.durable import storage_errors
from spool.errors import MalformedNameError, SettingsError
from spool.layouts import LAYOUTS, Layout
from spool.names import UserName

ASIDE_SUFFIX: Final = ".mailspool-aside"
_DROP_SUFFIX: Final = ".pop"
_SAMPLE_NAME: Final = UserName("sample-name")
_PROCMAIL: Final = "procmail"


def old_layout_named(text: str) -> Layout:
    """Find the layout of an old spool: one of ours, or ``procmailN`` for procmail's ``MAILSPOOLHASH = N``.

    Raises:
        SettingsError: there is none of this name.
    """
    number = text.removeprefix(_PROCMAIL)
    if text.startswith(_PROCMAIL) and len(number) == 1 and "1" <= number <= "9":
        return Layout(text, lambda name: _procmail(name, int(number)))
    if text not in LAYOUTS:
        raise SettingsError(f"no layout {text!r}; there are {', '.join(LAYOUTS)}, {_PROCMAIL}1 to {_PROCMAIL}9")
    return LAYOUTS[text]


@dataclass(slots=True)
class OldMail:
    """What an old spool has of one user.

    Attributes:
        user: whose it is.
        mbox: the old mbox; it need not exist.
        drop: qpopper's temporary drop, into which it moves mail for a session, if there is one.
        aside: what an earlier import has put aside, if it is still there.
        there: whether ``mbox`` is there, whatever it is.
    """

    user: UserName
    mbox: Path
    drop: Path | None = None
    aside: Path | None = None
    there: bool = False


@dataclass(slots=True)
class OldSpool:
    """What was found.

    Attributes:
        mail: of users, in the order of their names.
        without_user: mboxes, and what lies beside mboxes, whose names are no user's.
        unknown: what is in no mailbox's place: somebody's mail may be among it.
    """

    mail: list[OldMail] = field(default_factory=list)
    without_user: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)


def find_old_mail(
    root: Path,
    layout: Layout,
    is_user: Callable[[UserName], bool],
    *,
    users: Collection[UserName] | None = None,
    excluded: Collection[str] = (),
    drops: Path | None = None,
) -> OldSpool:
    """Look through an old spool, without opening a file in it.

    Args:
        root: the spool.
        layout: says in which directory of it a user's mbox lies.
        is_user: whether there is a user of this name.
        users: look for these only; what is nobody's is then not told.
        excluded: names of mailboxes, and of other files, that are left out.
        drops: a directory in which qpopper's temporary drops lie, beside those next to the mboxes.

    Raises:
        MailboxUnavailableError: a directory cannot be read.
    """
    found: dict[UserName, OldMail] = {}
    without_user: list[Path] = []
    unknown: list[Path] = []

    def mail_of(user: UserName) -> OldMail:
        return found.setdefault(user, OldMail(user, layout.path(root, user)))

    if users is None:
        sample = layout.directory(_SAMPLE_NAME)
        directories = list(_leaves(root, sample.count("/") + 1 if sample else 0, unknown))
    else:
        directories = sorted({layout.path(root, user).parent for user in users})
    for directory in directories:
        for entry in _entries(directory):
            path = directory / entry.name
            user = _user(entry.name)
            if user is not None and layout.path(root, user) == path and not _is_directory(entry):
                if is_user(user):
                    mail_of(user).there = True
                else:
                    without_user.append(path)
            elif entry.name.startswith("."):
                _note_beside(path, is_user, mail_of, without_user)
            elif not _is_lock(entry):
                unknown.append(path)
    for entry in _entries(drops) if drops else ():
        _note_beside(Path(entry.path), is_user, mail_of, without_user)
    wanted = [user for user in sorted(found) if (users is None or user in users) and user.text not in excluded]
    nobodys = (
        sorted(path for path in set(paths) if users is None and _mailbox_name(path) not in excluded)
        for paths in (without_user, unknown)
    )
    return OldSpool([found[user] for user in wanted], *nobodys)


def aside_of(mbox: Path) -> Path:
    """Name the place where an old mbox is put aside."""
    return mbox.with_name(f".{mbox.name}{ASIDE_SUFFIX}")


def _procmail(name: str, count: int) -> str:
    """The first characters of a name, a directory each; a short name repeats its last one."""
    return "/".join(name[:count].ljust(count, name[-1]))


def _leaves(directory: Path, depth: int, unknown: list[Path]) -> Iterator[Path]:
    """Yield the directories so many levels below one; what else lies above them is nobody's."""
    if depth == 0:
        yield directory
        return
    for entry in _entries(directory):
        path = directory / entry.name
        if _is_directory(entry):
            yield from _leaves(path, depth - 1, unknown)
        elif not entry.name.startswith(".") and not _is_lock(entry):
            unknown.append(path)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with storage_errors(directory):
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return []


def _note_beside(
    path: Path,
    is_user: Callable[[UserName], bool],
    mail_of: Callable[[UserName], OldMail],
    without_user: list[Path],
) -> None:
    """Note a temporary drop or what was put aside; other names are nobody's mail there."""
    name = _mailbox_name(path)
    user = _user(name)
    if user is None or name == path.name:
        return
    if not is_user(user):
        without_user.append(path)
    elif path.name.endswith(_DROP_SUFFIX):
        mail_of(user).drop = path
    else:
        mail_of(user).aside = path


def _mailbox_name(path: Path) -> str:
    """Say which mailbox a file is of, by its name: an mbox's is the mailbox's."""
    if path.name.startswith("."):
        for suffix in (_DROP_SUFFIX, ASIDE_SUFFIX):
            if path.name.endswith(suffix):
                return path.name[1:].removesuffix(suffix)
    return path.name


def _user(name: str) -> UserName | None:
    try:
        return UserName(name)
    except MalformedNameError:
        return None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_lock(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".lock") and not _is_directory(entry)
