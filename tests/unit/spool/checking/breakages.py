"""What can be wrong with a site, one thing each, and what is to be found then."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.assign import publish_assign, read_assign
from spool.names import UserName
from tests.unit.spool.checking.made_site import GID, UID, MadeSite, age

RANDOM: Final = "0123456789abcdef"
_LAYOUT: Final = frozenset({"layout-differs"})


@dataclass(frozen=True)
class Breakage:
    """One thing that is broken.

    ``mended``: repair makes the site clean again. ``deep``: found only by reading mail.
    ``also``: what cannot be without it.
    """

    kind: str
    make: Callable[[MadeSite], object]
    mended: bool = False
    deep: bool = False
    also: frozenset[str] = frozenset()


def _in_turn(*steps: Callable[[MadeSite], object]) -> Callable[[MadeSite], None]:
    def make(made: MadeSite) -> None:
        for step in steps:
            step(made)

    return make


def _maildir(made: MadeSite) -> Path:
    return made.home("ann") / "Maildir"


def _message(made: MadeSite) -> Path:
    return next(iter((_maildir(made) / "cur").iterdir()))


def _old_file(path: Path, content: bytes = b"x") -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    if os.getuid() == 0:
        os.chown(path, UID, GID)
    age(path)


def _old_link(path: Path, target: str) -> None:
    path.symlink_to(target)
    age(path)


def _old_pipe(path: Path) -> None:
    os.mkfifo(path)
    age(path)


def _old_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)
    age(path)


def _mode(place: Callable[[MadeSite], Path], mode: int) -> Callable[[MadeSite], None]:
    return lambda made: place(made).chmod(mode)


def _write(place: Callable[[MadeSite], Path], content: bytes) -> Callable[[MadeSite], None]:
    return lambda made: _old_file(place(made), content)


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _assign(made: MadeSite, line: str) -> None:
    lines = made.site.assign.read_text().removesuffix(".\n")
    made.site.assign.write_text(f"{lines}{line}\n.\n")
    publish_assign(read_assign(made.site.assign), made.site.assign_compiled)


def _assigned(made: MadeSite, name: str, home: Path) -> None:
    _assign(made, f"={name}:{name}:{UID}:{GID}:{home}:::")
    (made.directory / "links" / name).symlink_to(home)


def _hash_directory_user(made: MadeSite) -> None:
    home = made.home("ann").parent
    for name in (".mailspool", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
        (home / name).mkdir(mode=0o700)
    made.give_homes()
    _assigned(made, home.name, home)


def _uncompiled(made: MadeSite) -> None:
    lines = made.site.assign.read_text().removesuffix(".\n")
    made.site.assign.write_text(f"{lines}=postmaster:ann:{UID}:{GID}:{made.home('ann')}:::\n.\n")


def _replaced(path: Path) -> None:
    """Put a link in the place of something."""
    path.rename(path.with_name(f"{path.name}.moved"))
    path.symlink_to(path.with_name(f"{path.name}.moved"))


def _former_user(made: MadeSite) -> None:
    made.add("joe")
    made.roster.remove_user(UserName("joe"))


def _wrong_size(made: MadeSite, old: str, new: str) -> None:
    message = _message(made)
    message.rename(message.with_name(message.name.replace(old, new)))


def _home(name: str) -> Callable[[MadeSite], Path]:
    return lambda made: made.home(name)


def _below(name: str, *parts: str) -> Callable[[MadeSite], Path]:
    return lambda made: made.home(name).joinpath(*parts)


def _state(name: str, suffix: str) -> Callable[[MadeSite], Path]:
    return lambda made: made.state_file(name, suffix)


BREAKAGES: Final[Mapping[str, Breakage]] = {
    # -- the site's files
    "a secret is readable": Breakage("secret-exposed", _mode(lambda made: made.site.passwd, 0o644), mended=True),
    "assign is writable": Breakage("site-writable", _mode(lambda made: made.site.assign, 0o646), mended=True),
    "assign has a wrong line": Breakage(
        "assign-unreadable", lambda made: made.site.assign.write_text(f"x\n{made.site.assign.read_text()}")
    ),
    "assign.cdb is of yesterday": Breakage("assign-stale", _uncompiled, mended=True),
    "domains names nobody": Breakage(
        "domains-unknown-user", lambda made: _append(made.site.domains, "joe:example.org\n")
    ),
    "domains names no domain": Breakage(
        "domains-unknown-domain", lambda made: _append(made.site.domains, "ann:example.com\n")
    ),
    "a leftover of assign": Breakage(
        "leftover", lambda made: _old_file(made.site.control / f".assign.cdb.{RANDOM}.new"), mended=True
    ),
    # -- homes and assignments
    "the root is missing": Breakage("root-missing", lambda made: made.root.rename(made.directory / "elsewhere")),
    "a home is missing": Breakage("home-missing", lambda made: made.home("ann").rename(made.directory / "elsewhere")),
    "a home is a file": Breakage(
        "home-strange",
        _in_turn(
            lambda made: made.home("ann").rename(made.directory / "elsewhere"), lambda made: made.home("ann").touch()
        ),
    ),
    "a home has two users": Breakage(
        "home-shared", lambda made: _assigned(made, "joe", made.home("ann")), also=_LAYOUT
    ),
    "a user is called like a hash directory": Breakage("home-in-home", _hash_directory_user, also=_LAYOUT),
    "a home of nobody": Breakage("home-unassigned", _former_user),
    "a purge was stopped": Breakage(
        "purge-unfinished", lambda made: made.home("ann").rename(made.home("ann").with_name(".ann.purged"))
    ),
    "a purge of a former user was stopped": Breakage(
        "purge-unfinished", lambda made: (made.root / ".joe.purged").mkdir()
    ),
    "a link at an old place": Breakage(
        "old-link", lambda made: _old_link(made.root / "ann", os.path.relpath(made.home("ann"), made.root)), mended=True
    ),
    "a link to nowhere": Breakage("stray-link", lambda made: (made.root / "joe").symlink_to("nowhere")),
    "a leftover of a link": Breakage(
        "leftover", lambda made: _old_link(made.root / f".ann.{RANDOM}.new", "x"), mended=True
    ),
    "a leftover among the homes": Breakage(
        "leftover", lambda made: _old_file(made.root / f".ann.{RANDOM}.new"), mended=True
    ),
    "a lock leftover among the homes": Breakage(
        "stale-lock", lambda made: _old_file(made.root / f".lk{RANDOM}"), mended=True
    ),
    "a file among the homes": Breakage("stray-file", lambda made: (made.root / "notes").touch()),
    "a hash directory is writable": Breakage(
        "mode-too-open", lambda made: made.home("bob").parent.chmod(0o757), mended=True
    ),
    "no link to a home": Breakage(
        "home-link-missing", lambda made: (made.directory / "links" / "ann").unlink(), mended=True
    ),
    "a link to another home": Breakage(
        "home-link-elsewhere",
        _in_turn(
            lambda made: (made.directory / "links" / "ann").unlink(),
            lambda made: (made.directory / "links" / "ann").symlink_to("/x"),
        ),
        mended=True,
    ),
    "something in the link's place": Breakage(
        "home-link-taken",
        _in_turn(
            lambda made: (made.directory / "links" / "ann").unlink(),
            lambda made: (made.directory / "links" / "ann").mkdir(),
        ),
    ),
    "no directory for the link": Breakage(
        "home-link-missing", lambda made: (made.directory / "links").rename(made.directory / "elsewhere")
    ),
    # -- owners and modes
    "a home of another uid": Breakage("owned-by-other", lambda made: _renumber(made, "ann", UID + 1)),
    "a home others write in": Breakage("mode-too-open", _mode(_home("ann"), 0o722), mended=True),
    "a home its user cannot write in": Breakage("mode-too-narrow", _mode(_home("ann"), 0o500), mended=True),
    "a Maildir without rights": Breakage("mode-too-narrow", _mode(_below("ann", "Maildir", "new"), 0o400), mended=True),
    "an mbox without rights": Breakage("mode-too-narrow", _mode(_below("bob", "Mailbox"), 0o400), mended=True),
    "a message without rights": Breakage("mode-too-narrow", lambda made: _message(made).chmod(0o200), mended=True),
    "our own files without rights": Breakage("mode-too-narrow", _mode(_below("ann", ".mailspool"), 0o500), mended=True),
    "our own files for all": Breakage("mode-too-open", _mode(_below("ann", ".mailspool"), 0o755), mended=True),
    "a lock without rights": Breakage("mode-too-narrow", _mode(_state("ann", ".lock"), 0o400), mended=True),
    # -- mailboxes
    "no Maildir is last": Breakage(
        "mailbox-missing",
        _in_turn(
            lambda made: made.changed_settings.update(maildrop=("{home}/Mailbox", "{home}/Maildir/")),
            lambda made: (made.home("ann") / "Maildir").rename(made.directory / "elsewhere"),
        ),
        mended=True,
    ),
    "a pipe instead of an mbox": Breakage(
        "mailbox-strange",
        _in_turn(
            lambda made: (made.home("bob") / "Mailbox").unlink(), lambda made: os.mkfifo(made.home("bob") / "Mailbox")
        ),
    ),
    "a link instead of a Maildir": Breakage("mailbox-strange", lambda made: _replaced(_maildir(made))),
    "a link instead of cur": Breakage("mailbox-strange", lambda made: _replaced(_maildir(made) / "cur")),
    "mail in a second mailbox": Breakage(
        "second-mailbox", _write(_below("ann", "Mailbox"), b"From x Thu Jan  1 00:00:00 1970\n\n")
    ),
    "a second mailbox, empty": Breakage("second-mailbox-empty", _write(_below("ann", "Mailbox"), b"")),
    "no cur": Breakage(
        "part-missing", lambda made: (_maildir(made) / "cur").rename(made.directory / "elsewhere"), mended=True
    ),
    "a pipe among the messages": Breakage("strange-entry", lambda made: os.mkfifo(_maildir(made) / "new" / "1")),
    "an old file in tmp": Breakage("stale-tmp", _write(_below("ann", "Maildir", "tmp", "1"), b"x"), mended=True),
    "a message linked twice": Breakage(
        "base-twice",
        lambda made: os.link(_message(made), _maildir(made) / "new" / _message(made).name.partition(":")[0]),
    ),
    "two messages of one name": Breakage(
        "base-twice",
        lambda made: _old_file(_maildir(made) / "new" / _message(made).name.partition(":")[0], b"other"),
    ),
    "a wrong S= in a name": Breakage("size-in-name-wrong", lambda made: _wrong_size(made, ",S=", ",S=9"), deep=True),
    "a wrong W= in a name": Breakage("size-in-name-wrong", lambda made: _wrong_size(made, ",W=", ",W=9"), deep=True),
    "a damaged maildirsize": Breakage(
        "maildirsize-damaged", _write(_below("ann", "Maildir", "maildirsize"), b"much\n"), mended=True
    ),
    "a pipe instead of maildirsize": Breakage(
        "maildirsize-damaged", lambda made: os.mkfifo(_maildir(made) / "maildirsize")
    ),
    "an unreadable maildirsize": Breakage(
        "mode-too-narrow",
        _in_turn(
            lambda made: _old_file(_maildir(made) / "maildirsize", b"1000S\n"),
            lambda made: (_maildir(made) / "maildirsize").chmod(0o200),
        ),
        mended=True,
    ),
    "a text instead of an mbox": Breakage("not-an-mbox", _write(_below("bob", "Mailbox"), b"Dear Bob\n")),
    "a torn mbox": Breakage(
        "mbox-torn", _write(_below("bob", "Mailbox"), b"From x Thu Jan  1 00:00:00 1970\n\nx\n\nFrom y")
    ),
    "NULs in an mbox": Breakage(
        "mbox-nuls", _write(_below("bob", "Mailbox"), b"From x Thu Jan  1 00:00:00 1970\n\n\0\0x\n\n"), deep=True
    ),
    "a pipe called like a leftover": Breakage(
        "leftover", lambda made: _old_pipe(made.home("bob") / f".Mailbox.{RANDOM}.new")
    ),
    "a socket called like a leftover": Breakage(
        "leftover", lambda made: _old_socket(made.home("bob") / f".Mailbox.{RANDOM}.new")
    ),
    "an old dot-lock": Breakage("stale-lock", _write(_below("bob", "Mailbox.lock"), b"1\n"), mended=True),
    "an old lock leftover": Breakage("stale-lock", _write(_below("bob", f".lk{RANDOM}"), b""), mended=True),
    "a journal of somebody else": Breakage("journal-foreign", _write(_state("bob", ".mbox-journal"), b"x")),
    # -- our own files
    "no directory for our files": Breakage(
        "state-missing",
        lambda made: (made.home("ann") / ".mailspool").rename(made.directory / "elsewhere"),
        mended=True,
    ),
    "a link instead of our directory": Breakage(
        "state-strange", lambda made: _replaced(made.home("ann") / ".mailspool")
    ),
    "a link instead of a lock": Breakage(
        "state-strange",
        _in_turn(
            lambda made: made.state_file("ann", ".lock").unlink(),
            lambda made: made.state_file("ann", ".lock").symlink_to("/x"),
        ),
    ),
    "unique-ids of somebody else": Breakage(
        "unique-ids-foreign", _write(_state("ann", ".uids"), b"mailspool-unique-ids 1\n+a b\nhello\n")
    ),
    "an index of somebody else": Breakage("index-damaged", _write(_state("ann", ".sizes"), b"hello\n"), mended=True),
    "a leftover of ours": Breakage(
        "leftover", _write(_below("ann", ".mailspool", f".x.{RANDOM}.new"), b"x"), mended=True
    ),
}


def _renumber(made: MadeSite, name: str, uid: int) -> None:
    text = made.site.assign.read_text().replace(f":{name}:{UID}:", f":{name}:{uid}:")
    made.site.assign.write_text(text)
    publish_assign(read_assign(made.site.assign), made.site.assign_compiled)
