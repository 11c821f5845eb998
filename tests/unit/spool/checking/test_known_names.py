"""Each name that a program gives to a file or directory of a site or a home is known to ``spool-check``.

Who makes files in a module that makes none yet, or gives them other names, adds them here, and sees what is said of
them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import spool
from spool.checking import state_files
from tests.unit.spool.checking.made_site import MadeSite, age

PROJECT: Final = Path(spool.__file__).parents[1]
PACKAGES: Final = ("accounts", "delivery", "mta", "notify", "popd", "serving", "spool", "tools")
MAKING: Final = frozenset(
    {"create_directory", "create_file", "create_symlink", "exchange", "link", "make_directory", "make_symlink"}
    | {"open_for_append", "open_for_update", "put_file", "rename", "replace_file", "replace_symlink"}
)
RANDOM: Final = "0123456789abcdef"
_LOCKS: Final = "stale-lock"
_LEFTOVER: Final = "leftover"


@dataclass(frozen=True)
class Name:
    """A name, where it is, and what is said of an old file, or directory, that has it; None for nothing.

    In ``where``, ``ann`` stands for the home with a Maildir, ``bob`` for the one with an mbox, and ``*`` for how the
    names of our own files about that mailbox begin.
    """

    where: str
    said: str | None = None
    content: bytes | None = b"x"

    @property
    def is_directory(self) -> bool:
        return self.content is None


_ASSIGN: Final = (Name("site/control/assign.last"), Name("site/control/domains.last"), Name("site/control/assign.lock"))
_DOT_LOCK: Final = (Name("bob/Mailbox.lock", _LOCKS), Name(f"bob/.lk{RANDOM}", _LOCKS))

NAMES: Final[Mapping[str, tuple[Name, ...]]] = {
    # -- the site
    "accounts.user_lines": (Name(f"site/control/.passwd.{RANDOM}.new", _LEFTOVER),),
    "delivery.lmtp_socket_publishing": (Name(f"site/run/.lmtp-socket.{RANDOM}.new", _LEFTOVER),),
    "spool.assign": (Name(f"site/control/.assign.cdb.{RANDOM}.new", _LEFTOVER),),
    "spool.quota.table": (Name("site/control/quotas", content=b""),),
    "spool.rehash.layout_setting": (Name(f"site/.mailspool.toml.{RANDOM}.new", _LEFTOVER),),
    "spool.roster_files": _ASSIGN,
    "tools.site_making": (Name("site/run", content=None), Name("site/tls", content=None)),
    # -- maintenance
    "spool.carrying.journal": (Name(f"site/maintenance/carrying/ann/.{RANDOM}.carrying.{RANDOM}.new", _LEFTOVER),),
    "spool.carrying.journals": (
        Name(f"site/maintenance/carrying/ann/{RANDOM}.carrying"),
        Name(f"site/maintenance/carrying/ann/{RANDOM}.removal"),
    ),
    "spool.checking.mending": (
        Name("site/maintenance/removed-check-20261124T150000Z-01234567/1"),
        Name("ann/.mailspool/removed-check-20261124T150000Z-01234567/1"),
    ),
    "spool.checking.undo_record": (Name("site/maintenance/check-20261124T150000Z-01234567.undo"),),
    "spool.checking.undoing": (Name(f"ann/.x.{RANDOM}.new", _LEFTOVER),),
    "spool.converting.record": (
        Name("site/maintenance/conversions/ann.json"),
        Name(f"site/maintenance/conversions/.ann.json.{RANDOM}.new", _LEFTOVER),
    ),
    "spool.maintenance": (Name("site/maintenance/lock", content=b""),),
    "spool.rehash.copier": (
        Name("site/maintenance/rehash-copies/ann"),
        Name(f"site/maintenance/rehash-copies/.ann.{RANDOM}.new", _LEFTOVER),
        Name("mail/q/.joe.rehashed/.mailspool", "home-unassigned", content=None),
        Name("mail/q/.joe.rehashing/.mailspool", "home-unassigned", content=None),
    ),
    "spool.rehash.journal": (
        Name("site/maintenance/rehash"),
        Name(f"site/maintenance/.rehash.{RANDOM}.new", _LEFTOVER),
    ),
    "spool.rehash.late_mail": (Name("mail/q/..joe.rehashed.removed/.mailspool", "home-unassigned", content=None),),
    "spool.rehash.verifying": (Name("site/maintenance/rehash-before"),),
    # -- homes, and links to them
    "spool.homes": (Name("mail/x", content=None),),
    "spool.rehash.directories": (Name("mail/x/y", content=None),),
    "spool.rehash.mover": (Name(f"mail/q/.ann.{RANDOM}.new", _LEFTOVER),),
    "spool.rehash.rehash": (Name(f"links/.ann.{RANDOM}.new", _LEFTOVER),),
    "spool.rehash.outside": (),  # a second name of an mbox, the same as the first
    "spool.rehash.tree_copy": (),  # what is in the home
    "spool.state": (),  # the directory itself
    "spool.user_homes": (Name("mail/q/.joe.purged", "purge-unfinished", content=None),),
    # -- in homes
    "delivery.companions.autoreply": (Name("ann/answered/0123456789abcdef0123456789abcdef", content=b""),),
    "spool.carrying.maildir_files": (Name("ann/Maildir/tmp/1.a", "stale-tmp"),),
    "spool.carrying.maildir_stage": (Name("ann/Maildir/mailspool-arriving", content=None),),
    "spool.converting.former": (Name("bob/Mailbox.before-convert"), Name("bob/Mailbox.before-convert.2")),
    "spool.converting.switching": (Name("ann/Maildir.before-convert", content=None),),
    "spool.converting.writing": (Name("bob/Mailbox.being-converted"),),
    "spool.maildir.directories": (),  # messages
    "spool.maildir.mailbox": (Name("ann/Maildir/tmp/1.b", "stale-tmp"),),
    "spool.mbox.locks": _DOT_LOCK,
    "spool.quota.ledger": (
        Name("ann/Maildir/maildirsize", content=b"1000S\n"),
        Name(f"bob/.mailspool/.Mailbox.quota.{RANDOM}.new", _LEFTOVER),
    ),
    # -- about a mailbox, see SUFFIXES, too
    "spool.carrying.mbox_stage": (Name("bob/.mailspool/*.mbox-arriving"),),
    "spool.checking.session_locks": (Name("bob/.mailspool/*.lock"),),
    "spool.foreign_ids.users": (Name("bob/.mailspool/*.ids-from"),),
    "spool.kernel_locks": (Name("ann/.mailspool/*.lock"),),
    "spool.maildir.listing_file": (Name("ann/.mailspool/*.listing"),),
    "spool.maildir.size_index": (Name("ann/.mailspool/*.sizes"),),
    "spool.mbox.batch": (Name("bob/.mailspool/*.mbox-batch"),),
    "spool.mbox.index": (Name("bob/.mailspool/*.index"),),
    "spool.mbox.journal": (Name("bob/.mailspool/*.mbox-journal", "journal-foreign"),),
    "spool.mbox.read_mark": (Name("bob/.mailspool/*.read"),),
    "spool.unique_ids": (Name("bob/.mailspool/*.uids", "unique-ids-foreign"),),
    # -- in old spools
    "spool.importing.retiring": (),
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """The modules of the project that may make files."""
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            if name != "spool.durable":
                yield name, ast.parse(path.read_bytes())


def makes_files(module: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in MAKING
        and isinstance(node.value, ast.Name)
        and node.value.id == "durable"
        for node in ast.walk(module)
    )


def suffixes_in(module: ast.Module) -> Iterator[str]:
    """The suffixes of files in ``.mailspool`` that a module names."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id="state_file"), args=[_, ast.Constant(value=str(suffix))]):
                yield suffix
            case ast.AnnAssign(
                target=ast.Name(id="SUFFIX" | "_SUFFIX" | "NOTE_SUFFIX"), value=ast.Constant(value=suffix)
            ):
                yield str(suffix)
            case _:
                pass


def place_of(made: MadeSite, name: Name) -> Path:
    first, _, rest = name.where.partition("/")
    if (suffix := rest.removeprefix(".mailspool/*")) != rest:
        return made.state_file(first, suffix)
    return (made.home(first) if first in {"ann", "bob"} else made.directory / first) / rest


def test_every_module_that_makes_files_is_listed() -> None:
    assert {name for name, module in sources() if makes_files(module)} == NAMES.keys()


def test_every_suffix_of_our_own_files_is_known() -> None:
    named = {suffix for _, module in sources() for suffix in suffixes_in(module)}
    assert {".uids", ".read", ".ids-from", ".mbox-batch"} <= named
    assert named <= state_files._CHECKS.keys()


@pytest.mark.parametrize("name", [name for names in NAMES.values() for name in names], ids=lambda name: name.where)
def test_what_has_the_name_is_told_if_it_was_left_and_else_not(made: MadeSite, name: Name) -> None:
    place = place_of(made, name)
    for directory in reversed(place.parents):
        if not directory.exists():
            directory.mkdir(mode=0o700)
    if name.is_directory:
        place.mkdir(mode=0o700)
    else:
        place.write_bytes(name.content or b"")
        place.chmod(0o600)
    age(place)
    made.give_homes()
    assert made.kinds() == ([] if name.said is None else [name.said])
