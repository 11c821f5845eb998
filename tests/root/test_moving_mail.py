"""Importing and converting, by root, mail of users who have uids of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.assign import publish_assign, read_assign
from spool.converting.converter import convert_mailboxes
from spool.converting.options import Action, ConvertOptions, Outcome
from spool.homes import location_of_kind, make_home, make_mailbox
from spool.importing import options as importing
from spool.importing.importer import import_spool
from spool.importing.old_spool import old_layout_named
from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.progress import NoProgress
from tests.interop.live_site import open_directory
from tests.root.uids import FIRST_UID
from tests.small_site import SmallSite

MESSAGE = b"From a@example.org Thu Jan  1 00:00:00 2015\nSubject: %b\n\n\n"
ANN, BEN = FIRST_UID, FIRST_UID + 1


@pytest.fixture
def site() -> Iterator[SmallSite]:
    """Ann and Ben with Maildirs of their own uids, and an old spool in which anybody can make files."""
    with open_directory() as directory:
        site = SmallSite(directory / "site").make()
        lines = ""
        for name, uid in (("ann", ANN), ("ben", BEN)):
            home = site.settings.root / name
            make_home(home, uid=uid, gid=uid, root=site.settings.root)
            lines += f"={name}:{name}:{uid}:{uid}:{home}:::\n"
            site.site.assign.write_text(f"{lines}.\n")
            publish_assign(read_assign(site.site.assign), site.site.assign_compiled)
            location = location_of_kind(
                MailboxKind.MAILDIR, UserName(name), uid=uid, gid=uid, home=home, settings=site.settings
            )
            make_mailbox(location)
        (directory / "old").mkdir()
        (directory / "old").chmod(0o1777)
        yield site


def old_of(site: SmallSite) -> Path:
    return site.directory.parent / "old"


def write_old(site: SmallSite, name: str, uid: int, mode: int = 0o600) -> Path:
    path = old_of(site) / name
    path.write_bytes(MESSAGE % name.encode())
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def run_import(site: SmallSite) -> dict[str, importing.Outcome]:
    wanted = importing.ImportOptions(old_of(site), old_layout_named("flat"))
    imported = import_spool(site.site, site.settings, wanted, NoProgress(), uid_min=100)
    return {user.user.text: user.outcome for user in imported.users}


def owners_in(home: Path) -> set[int]:
    return {path.lstat().st_uid for path in (home, *home.rglob("*"))}


@pytest.mark.root
def test_all_that_is_made_in_a_home_is_its_owners(site: SmallSite) -> None:
    write_old(site, "ann", ANN)
    assert run_import(site) == {"ann": importing.Outcome.DONE}
    home = site.location("ann").home
    assert owners_in(home) == {ANN}
    assert len(list((home / "Maildir" / "new").iterdir())) == 1
    for action in (Action.TO_MBOX, Action.UNDO):
        options = ConvertOptions(action)
        converted = convert_mailboxes(site.site, site.settings, options, NoProgress(), uid_min=100)
        assert [user.outcome for user in converted.users] == [Outcome.DONE, Outcome.DONE], converted
        assert owners_in(home) == {ANN}


@pytest.mark.root
def test_somebody_else_s_file_is_not_taken_for_a_user_s_mail(site: SmallSite) -> None:
    write_old(site, "ann", BEN)
    secret = write_old(site, "secret-of-ben", BEN)
    (old_of(site) / "ben").symlink_to(secret)
    trouble = importing.Outcome.TROUBLE
    assert run_import(site) == {"ann": trouble, "ben": trouble}
    assert (old_of(site) / "ann").read_bytes() == MESSAGE % b"ann"


@pytest.mark.root
def test_a_link_planted_in_a_home_leads_nowhere_its_owner_could_not_go(site: SmallSite, tmp_path: Path) -> None:
    write_old(site, "ann", ANN)
    home = site.location("ann").home
    forbidden = site.directory / "root-only"
    forbidden.mkdir(mode=0o700)
    (home / "Maildir" / "mailspool-arriving").symlink_to(forbidden)
    assert run_import(site) == {"ann": importing.Outcome.TROUBLE}
    (home / "Maildir" / "mailspool-arriving").unlink()
    (home / "Maildir.before-convert").symlink_to(forbidden)
    (home / "Mailbox.being-converted").symlink_to(forbidden / "made")
    options = ConvertOptions(Action.TO_MBOX)
    convert_mailboxes(site.site, site.settings, options, NoProgress(), uid_min=100)
    assert list(forbidden.iterdir()) == []


@pytest.mark.root
def test_nobody_below_the_least_uid_gets_anything(site: SmallSite) -> None:
    write_old(site, "ann", ANN)
    wanted = importing.ImportOptions(old_of(site), old_layout_named("flat"))
    imported = import_spool(site.site, site.settings, wanted, NoProgress(), uid_min=ANN + 1)
    assert [user.outcome for user in imported.users] == [importing.Outcome.TROUBLE]
