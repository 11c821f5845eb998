"""Tests of ``spool.roster``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spool import durable, roster_files, user_homes
from spool.assign_directory import AssignDirectory
from spool.assign_edits import HomeMove
from spool.control_files import Domains
from spool.errors import NoSuchUserError, RosterError, SettingsError, SpoolError
from spool.mailbox import MailboxKind
from spool.names import DomainName, UserName
from spool.roster import NewUser, Roster
from spool.settings import SpoolSettings
from spool.site import Site

# Root may give homes away; others can only have their own.
UID, GID = os.getuid() or 1000, os.getgid() or 1000
ANN, BOB, JOE = UserName("ann"), UserName("bob"), UserName("joe")
ORG, NET = DomainName("example.org"), DomainName("example.net")


class Place:
    """A site and a spool root in a directory, and rosters for them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "mail"
        self.site = Site(directory / "site")
        self.root.mkdir()
        self.site.control.mkdir(parents=True)
        self.site.assign.write_bytes(b".\n")
        self.site.locals.write_text("example.org\nexample.net\n")

    def roster(self, **settings: Any) -> Roster:
        return Roster(self.site, SpoolSettings(self.root, **settings))

    def users(self) -> list[str]:
        return [str(name) for name, _ in AssignDirectory(self.site.assign_compiled).users()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def new(name: str, **values: Any) -> NewUser:
    return NewUser(UserName(name), **{"uid": UID, "gid": GID, **values})


# -- adding -----------------------------------------------------------------------------------------------------------


def test_an_added_user_has_an_assignment_and_a_maildrop_in_the_hashed_home(place: Place) -> None:
    added = place.roster(layout="first-two").add_user(new("ann"))
    home = place.root / "a" / "n" / "ann"
    assert added.location.path == home / "Maildir"
    assert (home / "Maildir" / "new").is_dir()
    assert AssignDirectory(place.site.assign_compiled).user(ANN).home == home
    assert place.site.assign.read_text() == f"=ann:ann:{UID}:{GID}:{home}:::\n+ann-:ann:{UID}:{GID}:{home}:-::\n.\n"


def test_a_maildrop_is_of_the_kind_asked_for(place: Place) -> None:
    assert place.roster().add_user(new("ann", kind=MailboxKind.MBOX)).location.kind is MailboxKind.MBOX


def test_a_home_may_be_given(place: Place) -> None:
    home = place.directory / "elsewhere"
    assert place.roster().add_user(new("ann", home=home)).location.home == home


def test_users_are_added_after_each_other(place: Place) -> None:
    for name in ("ann", "joe", "bob"):
        place.roster().add_user(new(name))
    assert [str(name) for name, _ in place.roster().users()] == ["ann", "joe", "bob"]


def test_a_user_is_added_once(place: Place) -> None:
    place.roster().add_user(new("ann"))
    before = place.site.assign.read_bytes()
    with pytest.raises(RosterError, match="ann: is assigned already, to ann"):
        place.roster().add_user(new("ann"))
    assert place.site.assign.read_bytes() == before


def test_a_name_that_is_an_alias_is_taken(place: Place) -> None:
    place.site.assign.write_text("=Postmaster:joe:507:100:/home/joe:::\n.\n")
    with pytest.raises(RosterError, match="is assigned already, to joe"):
        place.roster().add_user(new("postmaster"))


def test_uid_0_owns_no_mail(place: Place) -> None:
    with pytest.raises(RosterError, match="uid 0"):
        place.roster().add_user(new("ann", uid=0))


@pytest.mark.parametrize("home", ["/a:b", "/a\nb", "relative", "/a/../b"])
def test_a_home_that_no_line_can_hold_is_refused_before_anything_is_made(place: Place, home: str) -> None:
    with pytest.raises(RosterError, match="ann: "):
        place.roster().add_user(new("ann", home=Path(home)))
    assert place.site.assign.read_bytes() == b".\n"
    assert list(place.root.iterdir()) == []


def test_an_extension_that_changes_hands_is_reported(place: Place) -> None:
    place.roster().add_user(new("yasuhi"))
    (taken,) = place.roster().add_user(new("yasuhi-a")).taken
    assert (str(taken.owner), taken.extension, str(taken.taker)) == ("yasuhi", "a", "yasuhi-a")


def test_an_extension_that_a_new_user_cannot_have_is_reported(place: Place) -> None:
    place.roster().add_user(new("yasuhi-a"))
    (taken,) = place.roster().add_user(new("yasuhi")).taken
    assert (str(taken.owner), taken.extension, str(taken.taker)) == ("yasuhi", "a", "yasuhi-a")


def test_text_that_is_not_assignments_is_refused_and_kept(place: Place) -> None:
    place.site.assign.write_text("=ann\n.\n")
    with pytest.raises(SettingsError, match="assign: line 1"):
        place.roster().add_user(new("bob"))
    assert place.site.assign.read_text() == "=ann\n.\n"


def test_a_missing_text_is_named(place: Place) -> None:
    place.site.assign.unlink()
    with pytest.raises(SettingsError, match="control/assign: No such file"):
        place.roster().add_user(new("bob"))


def test_the_text_keeps_its_mode(place: Place) -> None:
    place.site.assign.chmod(0o640)
    place.roster().add_user(new("ann"))
    assert place.site.assign.stat().st_mode & 0o777 == 0o640


def test_two_programs_at_once_take_turns(place: Place) -> None:
    names = [f"user{number}" for number in range(8)]
    threads = [threading.Thread(target=lambda name: place.roster().add_user(new(name)), args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(place.users()) == names


# -- homes in the way of each other -----------------------------------------------------------------------------------


def test_a_home_is_not_made_of_a_hash_directory(place: Place) -> None:
    place.roster(layout="first").add_user(new("lea"))
    with pytest.raises(RosterError, match=r"/l: holds the home of lea"):
        place.roster(layout="flat").add_user(new("l"))


def test_a_hash_directory_is_not_made_of_a_home(place: Place) -> None:
    place.roster(layout="flat").add_user(new("l"))
    with pytest.raises(RosterError, match=r"would lie in the home of l,"):
        place.roster(layout="first").add_user(new("lea"))


def test_a_hash_directory_is_not_made_of_a_former_users_home(place: Place) -> None:
    place.roster(layout="flat").add_user(new("l"))
    place.roster(layout="flat").remove_user(UserName("l"))
    with pytest.raises(RosterError, match=r"the home of a former user"):
        place.roster(layout="first").add_user(new("lea"))


def test_a_home_is_not_made_of_a_hash_directory_of_former_users(place: Place) -> None:
    place.roster(layout="first").add_user(new("lea"))
    place.roster(layout="first").remove_user(UserName("lea"))
    with pytest.raises(RosterError, match=r"/l: is in use, and not as a home"):
        place.roster(layout="flat").add_user(new("l"))


def test_a_home_has_one_user(place: Place) -> None:
    home = place.roster().add_user(new("ann")).location.home
    with pytest.raises(RosterError, match="is the home of ann"):
        place.roster().add_user(new("bob", home=home))


def test_a_former_users_home_is_taken_over_with_its_mail(place: Place) -> None:
    location = place.roster().add_user(new("ann", kind=MailboxKind.MBOX)).location
    location.path.write_bytes(b"From joe\n\n")
    place.roster().remove_user(ANN)
    assert place.roster().add_user(new("ann", kind=MailboxKind.MBOX)).location == location
    assert location.path.read_bytes() == b"From joe\n\n"


def test_a_former_users_home_of_another_uid_is_not_taken_over(place: Place) -> None:
    place.roster().add_user(new("ann"))
    place.roster().remove_user(ANN)
    with pytest.raises(RosterError, match=f"belongs to uid {UID}, not to {UID + 1}"):
        place.roster().add_user(new("ann", uid=UID + 1))


# -- domains ----------------------------------------------------------------------------------------------------------


def test_a_user_may_belong_to_some_domains(place: Place) -> None:
    place.roster().add_user(new("ann", domains=(ORG,)))
    assert Domains(place.site.domains).of(ANN) == frozenset({ORG})


def test_a_user_of_all_domains_needs_no_file_of_domains(place: Place) -> None:
    place.roster().add_user(new("ann"))
    assert not place.site.domains.exists()


def test_a_domain_must_be_local(place: Place) -> None:
    with pytest.raises(RosterError, match=r"else\.example: is not in .*locals"):
        place.roster().add_user(new("ann", domains=(DomainName("else.example"),)))
    assert list(place.root.iterdir()) == []


def test_a_removed_user_leaves_no_lines_of_domains(place: Place) -> None:
    place.roster().add_user(new("ann", domains=(ORG, NET)))
    place.roster().add_user(new("bob", domains=(ORG,)))
    place.roster().remove_user(ANN)
    assert place.site.domains.read_text() == "bob:example.org\n"


def test_a_removed_user_leaves_no_limit_to_a_later_one_of_the_name(place: Place) -> None:
    place.roster().add_user(new("ann"))
    place.site.quotas.write_text("ann:1G\nbob:2G\n")
    place.roster().remove_user(ANN)
    assert place.site.quotas.read_text() == "bob:2G\n"


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def link(place: Place) -> str:
    (place.directory / "home").mkdir()
    return f"{place.directory}/home/{{user}}"


def test_a_link_leads_to_the_home_and_goes_with_the_user(place: Place, link: str) -> None:
    home = place.roster(home_link=link).add_user(new("ann")).location.home
    assert (place.directory / "home" / "ann").readlink() == home
    place.roster(home_link=link).remove_user(ANN)
    assert not (place.directory / "home" / "ann").is_symlink()


def test_a_link_does_not_take_the_place_of_a_directory(place: Place, link: str) -> None:
    (place.directory / "home" / "ann").mkdir()
    with pytest.raises(RosterError, match="is there and is no link"):
        place.roster(home_link=link).add_user(new("ann"))
    assert list(place.root.iterdir()) == []


def test_a_home_needs_no_link_to_itself(place: Place, link: str) -> None:
    home = place.directory / "home" / "ann"
    place.roster(home_link=link).add_user(new("ann", home=home))
    assert not home.is_symlink()
    place.roster(home_link=link).remove_user(ANN)
    assert home.is_dir()


def test_a_link_that_leads_elsewhere_stays_when_the_user_goes(place: Place, link: str) -> None:
    place.roster(home_link=link).add_user(new("ann"))
    durable.make_symlink(place.directory / "home" / "ann", "elsewhere")
    place.roster(home_link=link).remove_user(ANN)
    assert (place.directory / "home" / "ann").is_symlink()


# -- removing ---------------------------------------------------------------------------------------------------------


def test_a_removed_user_is_assigned_no_more_and_the_mail_stays(place: Place) -> None:
    location = place.roster().add_user(new("ann")).location
    place.roster().add_user(new("bob"))
    removed = place.roster().remove_user(ANN)
    assert removed.mail == (location.home,)
    assert location.path.is_dir()
    assert place.users() == ["bob"]


def test_nobody_is_removed_twice(place: Place) -> None:
    place.roster().add_user(new("ann"))
    place.roster().remove_user(ANN)
    with pytest.raises(NoSuchUserError):
        place.roster().remove_user(ANN)


def test_an_alias_is_no_user_to_be_removed(place: Place) -> None:
    place.site.assign.write_text("=webmaster:joe:507:100:/home/joe:::\n.\n")
    with pytest.raises(NoSuchUserError):
        place.roster().remove_user(UserName("webmaster"))


def test_a_purge_removes_the_home(place: Place) -> None:
    location = place.roster().add_user(new("ann")).location
    (location.path / "new" / "1.a").write_bytes(b"mail")
    assert place.roster().remove_user(ANN, purge=True).mail == ()
    assert list(location.home.parent.iterdir()) == []


def test_a_purge_removes_a_mailbox_outside_of_the_home(place: Place) -> None:
    (place.directory / "var").mkdir()
    templates = {"maildrop": (f"{place.directory}/var/{{user}}",)}
    location = place.roster(**templates).add_user(new("ann")).location
    assert location.path == place.directory / "var" / "ann"
    place.roster(**templates).remove_user(ANN, purge=True)
    assert not location.path.exists()
    assert not location.home.exists()


def test_without_a_purge_a_mailbox_outside_of_the_home_is_told(place: Place) -> None:
    (place.directory / "var").mkdir()
    templates = {"maildrop": (f"{place.directory}/var/{{user}}",)}
    location = place.roster(**templates).add_user(new("ann")).location
    assert place.roster(**templates).remove_user(ANN).mail == (location.home, location.path)


def test_a_purge_of_a_home_that_is_gone_removes_the_user(place: Place) -> None:
    location = place.roster().add_user(new("ann")).location
    durable.remove_tree(location.home)
    place.roster().remove_user(ANN, purge=True)
    assert place.users() == []


def test_a_purge_spares_what_another_user_needs(place: Place) -> None:
    home = place.roster().add_user(new("ann")).location.home
    text = place.site.assign.read_text()
    place.site.assign.write_text(f"=list:lists:{UID}:{GID}:{home}/lists:::\n{text}")
    with pytest.raises(RosterError, match="lists needs it"):
        place.roster().remove_user(ANN, purge=True)
    assert home.is_dir()


def test_a_purge_spares_what_another_uid_owns(place: Place) -> None:
    home = place.directory / "not-anns"
    home.mkdir()
    owner = os.getuid()
    place.site.assign.write_text(f"=ann:ann:{owner + 1}:{GID}:{home}:::\n.\n")
    with pytest.raises(RosterError, match=f"belongs to uid {owner}"):
        place.roster().remove_user(ANN, purge=True)
    assert home.is_dir()


# -- moving homes -----------------------------------------------------------------------------------------------------


def test_moved_homes_are_in_the_text_and_the_database(place: Place) -> None:
    for name in ("ann", "bob"):
        place.roster().add_user(new(name, home=place.directory / name))
    moved = place.roster().move_homes({ANN: HomeMove(place.directory / "ann", place.root / "ann")})
    assert (set(moved.moved), set(moved.left)) == ({ANN}, set())
    directory = AssignDirectory(place.site.assign_compiled)
    assert directory.user(ANN).home == directory.lookup("ann-x").record.home == place.root / "ann"
    assert directory.user(BOB).home == place.directory / "bob"
    assert str(place.directory / "ann:") not in place.site.assign.read_text()


def test_homes_that_were_moved_in_the_text_only_are_compiled(place: Place) -> None:
    place.roster().add_user(new("ann", home=place.directory / "ann"))
    move = HomeMove(place.directory / "ann", place.root / "ann")
    text = place.site.assign.read_text()
    place.site.assign.write_text(text.replace(str(move.old), str(move.new)))
    assert place.roster().move_homes({ANN: move}).moved == {ANN}
    assert AssignDirectory(place.site.assign_compiled).user(ANN).home == move.new


def test_a_home_that_cannot_be_written_changes_nothing(place: Place) -> None:
    place.roster().add_user(new("ann", home=place.directory / "ann"))
    text = place.site.assign.read_bytes()
    with pytest.raises(RosterError, match="is no line"):
        place.roster().move_homes({ANN: HomeMove(place.directory / "ann", place.root / "a:b")})
    assert place.site.assign.read_bytes() == text


# -- stopped in the middle --------------------------------------------------------------------------------------------


class StoppedError(Exception):
    """Stands for a crash."""


def stop(*_arguments: Any, **_keywords: Any) -> Any:
    raise StoppedError


STEPS = [
    (user_homes, "make_home"),
    (user_homes, "make_mailbox"),
    (user_homes, "locate_mailbox"),
    (roster_files, "_replace"),
    (roster_files, "publish_plain"),
]


@pytest.mark.parametrize(("module", "step"), STEPS)
def test_adding_goes_on_wherever_it_stopped(
    place: Place, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, step, stop)
        with pytest.raises(StoppedError):
            place.roster().add_user(new("ann"))
    try:
        place.roster().add_user(new("ann"))
    except RosterError:
        assert step == "publish_plain"  # the text said it already
    assert place.users() == ["ann"]
    assert place.roster().describe(ANN).maildrop is not None


@pytest.mark.parametrize("step", ["remove_tree", "_replace", "publish_plain"])
def test_a_purge_goes_on_wherever_it_stopped(place: Place, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    home = place.roster().add_user(new("ann")).location.home
    calls: list[Path] = []

    def stop_at_second(path: Path) -> bool:
        calls.append(path)
        return calls != [path] and stop()

    with monkeypatch.context() as patch:
        if step == "remove_tree":
            patch.setattr(durable, step, stop_at_second)
        else:
            patch.setattr(roster_files, step, stop)
        with pytest.raises(StoppedError):
            place.roster().remove_user(ANN, purge=True)
    try:
        place.roster().remove_user(ANN, purge=True)
    except NoSuchUserError:
        assert step == "publish_plain"
    assert place.users() == []
    assert list(home.parent.iterdir()) == []


def test_the_lock_is_given_back_after_trouble(place: Place) -> None:
    with pytest.raises(NoSuchUserError):
        place.roster().remove_user(ANN)
    place.roster().add_user(new("ann"))


def test_a_site_without_control_directory_is_an_error_of_the_spool(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        Roster(Site(tmp_path / "none"), SpoolSettings(tmp_path)).add_user(new("ann"))


# -- describing -------------------------------------------------------------------------------------------------------


def test_a_user_is_described(place: Place, link: str) -> None:
    values = {"layout": "hex2", "home_link": link}
    location = place.roster(**values).add_user(new("ann", domains=(ORG, NET))).location
    found = place.roster(**values).describe(ANN)
    assert (found.user, found.maildrop, found.layout) == (ANN, location, "hex2")
    assert found.record.home == location.home
    assert found.domains == (NET, ORG)
    assert found.links == (place.directory / "home" / "ann",)


def test_a_user_in_another_place_is_described_too(place: Place) -> None:
    home = place.roster().add_user(new("ann", home=place.directory / "own")).location.home
    durable.remove_tree(home)
    found = place.roster().describe(ANN)
    assert (found.maildrop, found.layout, found.domains, found.links) == (None, None, None, ())


def test_the_layout_told_is_the_one_that_fits(place: Place) -> None:
    place.roster(layout="first").add_user(new("ann"))
    assert place.roster(layout="flat").describe(ANN).layout == "first"


@pytest.mark.parametrize("act", [lambda r: r.describe(ANN), lambda r: r.remove_user(ANN)], ids=["describe", "remove"])
def test_who_is_not_there_is_no_user(place: Place, act: Callable[[Roster], object]) -> None:
    place.roster().add_user(new("bob"))
    with pytest.raises(NoSuchUserError):
        act(place.roster())
