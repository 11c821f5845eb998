"""Tests of ``spool.homes``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from spool import durable, homes
from spool.errors import HomeUnavailableError, MailboxUnavailableError, RosterError, SpoolError
from spool.homes import (
    hash_directory,
    locate_mailbox,
    location_of_kind,
    make_home,
    make_mailbox,
    possible_locations,
)
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName
from spool.settings import SpoolSettings

ANN = UserName("ann")
UID, GID = os.getuid(), os.getgid()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "mail").mkdir(mode=0o751)
    (tmp_path / "mail").chmod(0o751)
    return tmp_path / "mail"


@pytest.fixture
def home(root: Path) -> Path:
    (root / "ann").mkdir()
    return root / "ann"


def locate(home: Path, *templates: str, uid: int = UID) -> MailboxLocation:
    settings = SpoolSettings(Path("/mail"), maildrop=templates or ("{home}/Maildir/", "{home}/Mailbox"))
    return locate_mailbox(ANN, uid=uid, gid=GID, home=home, settings=settings)


def of_kind(home: Path, kind: MailboxKind | None, *templates: str) -> MailboxLocation:
    settings = SpoolSettings(Path("/mail"), maildrop=templates or ("{home}/Maildir/", "{home}/Mailbox"))
    return location_of_kind(kind, ANN, uid=UID, gid=GID, home=home, settings=settings)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# -- finding ----------------------------------------------------------------------------------------------------------


def test_the_first_template_that_exists_is_the_mailbox(home: Path) -> None:
    (home / "Maildir").mkdir()
    (home / "Mailbox").touch()
    found = locate(home)
    assert (found.path, found.kind) == (home / "Maildir", MailboxKind.MAILDIR)


def test_a_later_template_is_the_mailbox_if_the_earlier_are_missing(home: Path) -> None:
    (home / "Mailbox").touch()
    found = locate(home)
    assert (found.path, found.kind) == (home / "Mailbox", MailboxKind.MBOX)


def test_a_last_mbox_need_not_exist_and_is_not_made(home: Path) -> None:
    assert locate(home).path == home / "Mailbox"
    assert list(home.iterdir()) == []


def test_a_location_tells_whether_anything_was_there(home: Path) -> None:
    assert not locate(home).found
    (home / "Mailbox").touch()
    assert locate(home).found


def test_a_location_says_all_about_the_mailbox(home: Path) -> None:
    found = locate(home)
    assert (found.user, found.uid, found.gid, found.home) == (ANN, UID, GID, home)
    assert found.state == home / ".mailspool"


def test_every_place_where_a_mailbox_may_be_is_told_once_and_in_order(home: Path) -> None:
    settings = SpoolSettings(Path("/mail"), maildrop=("{home}/Mailbox", "{home}/Maildir/", "{home}/Mailbox"))
    found = possible_locations(ANN, uid=UID, gid=GID, home=home, settings=settings)
    assert [location.path for location in found] == [home / "Mailbox", home / "Maildir"]
    assert len({location.state_name for location in found}) == 2


def test_a_last_maildir_must_exist(home: Path) -> None:
    with pytest.raises(MailboxUnavailableError, match="is there"):
        locate(home, "{home}/Mailbox", "{home}/Maildir/")


def test_a_missing_home_is_temporary(root: Path) -> None:
    with pytest.raises(HomeUnavailableError, match="No such file") as caught:
        locate(root / "ann")
    assert not caught.value.status.permanent


def test_a_home_that_is_a_file_is_temporary(root: Path) -> None:
    (root / "ann").touch()
    with pytest.raises(HomeUnavailableError):
        locate(root / "ann")


def test_a_home_that_is_a_link_leads_nowhere(root: Path, home: Path) -> None:
    (root / "bob").symlink_to(home)
    with pytest.raises(HomeUnavailableError):
        locate(root / "bob")


# -- finding one that was moved ---------------------------------------------------------------------------------------


def locate_below(root: Path, home: Path, *, uid: int = UID) -> MailboxLocation:
    return locate_mailbox(ANN, uid=uid, gid=GID, home=home, settings=SpoolSettings(root))


def moved(root: Path) -> Path:
    """A home that was at the place returned, and is at ``root/a/ann``."""
    (root / "a" / "ann" / "Maildir").mkdir(parents=True)
    (root / "l").mkdir()
    (root / "l" / "ann").symlink_to("../a/ann")
    return root / "l" / "ann"


def test_a_home_that_was_moved_is_found_where_it_was(root: Path) -> None:
    found = locate_below(root, moved(root))
    assert found == locate_below(root, root / "a" / "ann")
    assert found.home == root / "a" / "ann"


def test_a_home_behind_a_link_must_be_the_users(root: Path) -> None:
    with pytest.raises(HomeUnavailableError, match=f"expected owner {UID + 1}"):
        locate_below(root, moved(root), uid=UID + 1)


def test_a_link_behind_the_link_is_not_followed(root: Path) -> None:
    old = moved(root)
    (root / "a" / "ann").rename(root / "a" / "real")
    (root / "a" / "ann").symlink_to("real")
    with pytest.raises(HomeUnavailableError):
        locate_below(root, old)


def test_a_home_that_comes_back_while_it_is_looked_for_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = moved(root)

    def comes_back(link: Path, _root: Path) -> Path:
        if link.is_symlink():
            link.unlink()
            (root / "a" / "ann").rename(link)
        return root / "a" / "ann"

    monkeypatch.setattr(homes, "home_behind", comes_back)
    assert locate_below(root, old).home == old


def test_a_home_of_another_uid_is_temporary(home: Path) -> None:
    with pytest.raises(HomeUnavailableError, match=f"expected owner {UID + 1}, found {UID}"):
        locate(home, uid=UID + 1)


@pytest.mark.parametrize("name", ["Maildir", "Mailbox"])
def test_a_mailbox_that_is_a_link_leads_nowhere(root: Path, home: Path, name: str) -> None:
    (root / "Maildir").mkdir()
    (root / "Mailbox").touch()
    (home / name).symlink_to(root / name)
    with pytest.raises(MailboxUnavailableError, match="found l"):
        locate(home)


def test_a_link_on_the_way_to_a_mailbox_leads_nowhere(root: Path, home: Path) -> None:
    (root / "inbox").touch()
    (home / "mail").symlink_to(root)
    with pytest.raises(MailboxUnavailableError):
        locate(home, "{home}/mail/inbox")


def test_a_mailbox_deeper_in_the_home_is_found(home: Path) -> None:
    (home / "mail").mkdir()
    (home / "mail" / "inbox").touch()
    assert locate(home, "{home}/mail/inbox").path == home / "mail" / "inbox"


def test_a_directory_is_no_mbox(home: Path) -> None:
    (home / "Mailbox").mkdir()
    with pytest.raises(MailboxUnavailableError, match="expected mbox, found d"):
        locate(home)


def test_a_fifo_is_no_mbox_and_is_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "Mailbox")
    with pytest.raises(MailboxUnavailableError, match="expected mbox, found p"):
        locate(home)


def test_a_file_is_no_maildir(home: Path) -> None:
    (home / "Maildir").touch()
    with pytest.raises(MailboxUnavailableError, match="expected maildir, found -"):
        locate(home)


def test_a_mailbox_outside_of_the_home_is_found(home: Path, tmp_path: Path) -> None:
    (tmp_path / "var" / "y").mkdir(parents=True)
    template = f"{tmp_path}/var/{{hash}}/{{user}}"
    settings = SpoolSettings(Path("/mail"), layout="letter", maildrop=(template,))
    found = locate_mailbox(UserName("a"), uid=UID, gid=GID, home=home, settings=settings)
    assert found.path == tmp_path / "var" / "y" / "a"


@pytest.mark.parametrize(
    ("home", "directory"),
    [("mail/q/ann", "q"), ("mail/q/w/ann-old", "q/w"), ("mail/ann", ""), ("mailbox/ann", "a"), ("elsewhere/ann", "a")],
)
def test_the_hash_directory_is_that_of_the_home_and_of_the_layout_only_elsewhere(
    tmp_path: Path, home: str, directory: str
) -> None:
    settings = SpoolSettings(tmp_path / "mail", layout="first")
    assert hash_directory(ANN, tmp_path / home, settings) == directory


def test_a_mailbox_outside_of_the_home_stays_where_it_is_when_the_layout_changes(root: Path, tmp_path: Path) -> None:
    template = f"{tmp_path}/var/{{hash}}/{{user}}"
    before, after = (SpoolSettings(root, layout=layout, maildrop=(template,)) for layout in ("first", "hex2"))
    home = root / "a" / "ann"
    make_home(home, uid=UID, gid=GID, root=root)
    made = location_of_kind(None, ANN, uid=UID, gid=GID, home=home, settings=before)
    make_mailbox(made)
    assert locate_mailbox(ANN, uid=UID, gid=GID, home=home, settings=after) == made


def test_a_missing_directory_of_mboxes_is_temporary_and_not_no_mail(home: Path, tmp_path: Path) -> None:
    with pytest.raises(HomeUnavailableError, match="no such directory"):
        locate(home, f"{tmp_path}/absent/{{user}}")


def test_names_of_state_stay_when_the_home_moves(root: Path, home: Path) -> None:
    before = locate(home).state_name
    home.rename(root / "moved")
    assert locate(root / "moved").state_name == before


def test_two_users_of_one_home_share_what_is_named_alike_and_nothing_else(home: Path) -> None:
    def state_names(template: str) -> set[str]:
        settings = SpoolSettings(Path("/mail"), maildrop=(template,))
        users = (ANN, UserName("bob"))
        return {locate_mailbox(user, uid=UID, gid=GID, home=home, settings=settings).state_name for user in users}

    assert len(state_names("{home}/Mailbox")) == 1
    assert len(state_names("{home}/{user}")) == 2


def test_names_of_state_differ_between_templates_and_are_plain(home: Path) -> None:
    templates = ["{home}/Mailbox", "{home}/mail/Mailbox", "/var/mail/{user}", "/var/mail/{hash}/{user}"]
    names = {of_kind(home, None, template).state_name for template in templates}
    assert len(names) == len(templates)
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in names)


# -- making -----------------------------------------------------------------------------------------------------------


def test_the_first_template_of_a_kind_is_for_a_new_user(home: Path) -> None:
    assert of_kind(home, MailboxKind.MBOX).path == home / "Mailbox"
    assert of_kind(home, None).path == home / "Maildir"


def test_without_a_template_of_its_kind_a_new_mailbox_has_no_place(home: Path) -> None:
    with pytest.raises(RosterError, match="is for this kind"):
        of_kind(home, MailboxKind.MBOX, "{home}/Maildir/")


def test_a_home_is_made_with_the_directories_above_it(root: Path) -> None:
    make_home(root / "a" / "n" / "ann", uid=UID, gid=GID, root=root)
    assert mode_of(root / "a" / "n" / "ann") == 0o700
    assert mode_of(root / "a" / "n" / "ann" / ".mailspool") == 0o700
    assert mode_of(root / "a") == mode_of(root / "a" / "n") == mode_of(root)


def test_a_home_outside_of_the_root_is_made_in_a_directory_that_is_there(root: Path, tmp_path: Path) -> None:
    make_home(tmp_path / "ann", uid=UID, gid=GID, root=root)
    assert (tmp_path / "ann" / ".mailspool").is_dir()
    with pytest.raises(SpoolError):
        make_home(tmp_path / "missing" / "ann", uid=UID, gid=GID, root=root)


def test_a_home_is_not_made_where_the_root_is_not(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        make_home(tmp_path / "mail" / "ann", uid=UID, gid=GID, root=tmp_path / "mail")
    assert not (tmp_path / "mail").exists()


def test_making_a_home_again_changes_nothing(root: Path) -> None:
    make_home(root / "ann", uid=UID, gid=GID, root=root)
    (root / "ann" / "f").touch()
    (root / "ann").chmod(0o750)
    make_home(root / "ann", uid=UID, gid=GID, root=root)
    assert mode_of(root / "ann") == 0o750


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_stands_in_the_place_of_a_home_is_an_error(root: Path, tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (root / "ann").touch()
    else:
        (root / "ann").symlink_to(tmp_path)
    with pytest.raises(MailboxUnavailableError, match="File exists"):
        make_home(root / "ann", uid=UID, gid=GID, root=root)


def test_an_empty_directory_that_a_crash_left_as_ours_is_given_to_its_owner(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int, tuple[int, int]]] = []

    def give(path: Path, *, mode: int, owner: tuple[int, int]) -> None:
        given.append((path, mode, owner))

    (root / "ann").mkdir()
    monkeypatch.setattr(durable, "set_directory_attributes", give)
    homes._make_directory(root / "ann", 0o700, (UID + 1, GID))
    assert given == [(root / "ann", 0o700, (UID + 1, GID))]


def test_a_directory_of_ours_that_is_in_use_is_not_given_away(root: Path) -> None:
    (root / "ann" / "b").mkdir(parents=True)
    with pytest.raises(MailboxUnavailableError, match="File exists"):
        make_home(root / "ann", uid=UID + 1, gid=GID, root=root)


@pytest.mark.parametrize("kind", list(MailboxKind))
def test_a_made_mailbox_is_found(home: Path, kind: MailboxKind) -> None:
    location = of_kind(home, kind)
    make_mailbox(location)
    assert locate(home) == location
    assert mode_of(location.path) in {0o700, 0o600}


def test_a_maildir_has_its_three_parts(home: Path) -> None:
    make_mailbox(of_kind(home, MailboxKind.MAILDIR))
    assert sorted(path.name for path in (home / "Maildir").iterdir()) == ["cur", "new", "tmp"]


def test_a_maildir_that_a_crash_left_in_part_is_completed_and_keeps_its_mail(home: Path) -> None:
    (home / "Maildir" / "new").mkdir(parents=True)
    (home / "Maildir" / "new" / "1.a").touch()
    make_mailbox(of_kind(home, MailboxKind.MAILDIR))
    assert (home / "Maildir" / "new" / "1.a").exists()
    assert (home / "Maildir" / "cur").is_dir()


def test_an_mbox_that_is_there_keeps_its_mail(home: Path) -> None:
    (home / "Mailbox").write_bytes(b"From a\n\n")
    make_mailbox(of_kind(home, MailboxKind.MBOX))
    assert (home / "Mailbox").read_bytes() == b"From a\n\n"


def test_a_mailbox_deeper_in_the_home_gets_its_directories(home: Path) -> None:
    make_mailbox(of_kind(home, None, "{home}/mail/in/box"))
    assert mode_of(home / "mail" / "in") == 0o700
    assert (home / "mail" / "in" / "box").is_file()


def test_a_mailbox_outside_of_the_home_gets_its_directories_like_the_one_above(home: Path, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var").chmod(0o2775)
    make_mailbox(of_kind(home, None, f"{tmp_path}/var/{{hash}}/{{user}}"))
    (directory,) = (tmp_path / "var").iterdir()
    assert mode_of(directory) == 0o2775
    assert (directory / "ann").is_file()


@pytest.mark.parametrize(
    ("template", "name"),
    [("{home}/Maildir/", "Maildir"), ("{home}/Mailbox", "Mailbox"), ("{home}/mail/inbox", "mail")],
)
def test_a_planted_link_does_not_lead_out_of_the_home(home: Path, tmp_path: Path, template: str, name: str) -> None:
    (tmp_path / "victim").mkdir()
    (home / name).symlink_to(tmp_path / "victim")
    with pytest.raises(SpoolError):
        make_mailbox(of_kind(home, None, template))
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_home_that_is_not_the_users_gets_no_mailbox(home: Path) -> None:
    settings = SpoolSettings(Path("/mail"))
    location = location_of_kind(None, ANN, uid=UID + 1, gid=GID, home=home, settings=settings)
    with pytest.raises(HomeUnavailableError):
        make_mailbox(location)
    assert list(home.iterdir()) == []
