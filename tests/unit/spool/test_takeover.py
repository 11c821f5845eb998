"""Tests of ``spool.takeover``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from spool import roster_files, takeover
from spool.assign_directory import AssignDirectory
from spool.directory_sources import Account, Additions, Skipped, SkipReason
from spool.errors import RosterError, SettingsError
from spool.names import DomainName
from spool.progress import NoProgress
from spool.settings import SpoolSettings
from spool.site import Site
from spool.takeover import Difference, Directory, Names, OwnerChange, Policy, TakenOver, Takeover, Trouble

# Root may give homes away; others can only have their own.
UID, GID = os.getuid() or 1000, os.getgid() or 1000
ORG = (DomainName("example.org"),)


class Place:
    """A site and a spool root in a directory, and takeovers for them."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "mail"
        self.site = Site(directory / "site")
        self.root.mkdir()
        self.site.control.mkdir(parents=True)
        self.site.assign.write_bytes(b".\n")
        self.site.locals.write_text("example.org\n")
        self.last = self.site.control / "assign.last"

    def take(
        self,
        *accounts: Account,
        settings: dict[str, Any] | None = None,
        dry_run: bool = False,
        **policy: Any,
    ) -> TakenOver:
        taker = Takeover(
            self.site,
            SpoolSettings(self.root, **{"layout": "first", **(settings or {})}),
            default=lambda: (UID, GID),
            policy=Policy(**policy),
        )
        directory = Directory({account.name: account for account in accounts}, (), Additions())
        return taker.run(directory, NoProgress(), dry_run=dry_run)

    def homes(self) -> dict[str, str]:
        return {str(name): str(record.home) for name, record in AssignDirectory(self.site.assign_compiled).users()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def named(name: str, **values: Any) -> Account:
    return Account(1, name.encode(), None, None, None)._replace(**values)


def test_users_are_taken_over_into_text_and_database(place: Place) -> None:
    report = place.take(named("ann"), named("bob", uid=b"7", gid=b"8"))
    ann, bob = place.root / "a" / "ann", place.root / "b" / "bob"
    assert place.homes() == {"ann": str(ann), "bob": str(bob)}
    assert place.site.assign.read_text() == (
        f"=ann:ann:{UID}:{GID}:{ann}:::\n+ann-:ann:{UID}:{GID}:{ann}:-::\n"
        f"=bob:bob:7:8:{bob}:::\n+bob-:bob:7:8:{bob}:-::\n.\n"
    )
    assert (report.difference.added, report.homes_made, report.troubles) == (Names(2, ("ann", "bob")), 0, ())
    assert list(place.root.iterdir()) == []


def test_the_home_is_where_the_layout_says(place: Place) -> None:
    place.take(named("ann"), settings={"layout": "flat"})
    assert place.homes() == {"ann": str(place.root / "ann")}


def test_or_where_the_source_says_if_it_does(place: Place) -> None:
    place.take(named("ann", home=b"/home/ann"), named("bob"), homes_of_source=True)
    assert place.homes() == {"ann": "/home/ann", "bob": str(place.root / "b" / "bob")}


def test_the_default_owner_is_not_asked_for_without_need(place: Place) -> None:
    def default() -> tuple[int, int]:
        raise AssertionError

    taker = Takeover(place.site, SpoolSettings(place.root), default=default, policy=Policy())
    taker.run(Directory({b"ann": named("ann", uid=b"1", gid=b"1")}, (), Additions()), NoProgress())
    assert list(place.homes()) == ["ann"]


def test_the_difference_is_told_before_anything_is_changed(place: Place) -> None:
    place.take(named("ann", uid=b"7", gid=b"7"), named("bob"))
    skipped = (Skipped(3, "root", SkipReason.ROOT),)
    told: list[Difference] = []

    def tell(difference: Difference) -> None:
        assert list(place.homes()) == ["ann", "bob"]
        told.append(difference)

    taker = Takeover(place.site, SpoolSettings(place.root), default=lambda: (1, 1), policy=Policy(max_drop=1))
    directory = Directory({b"ann": named("ann", uid=b"9"), b"cid": named("cid")}, skipped, Additions())
    report = taker.run(directory, NoProgress(), before=tell)
    assert told == [report.difference]
    assert report.difference == Difference(
        users_before=2,
        users_after=2,
        added=Names(1, ("cid",)),
        removed=Names(1, ("bob",)),
        changed=1,
        changes=(OwnerChange("ann", ("7", "9"), None, None),),
        skipped={"uid 0": 1},
        left_out=skipped,
    )


def test_a_report_names_some_only(place: Place) -> None:
    report = place.take(*(named(f"user{number}") for number in range(30)))
    assert (report.difference.added.count, len(report.difference.added.first)) == (30, takeover.SHOWN)


def test_a_dry_run_changes_nothing(place: Place) -> None:
    report = place.take(named("ann"), dry_run=True, make_homes=True)
    assert report.difference.added.count == 1
    assert place.site.assign.read_bytes() == b".\n"
    assert not place.site.assign_compiled.exists()
    assert list(place.root.iterdir()) == []


def test_what_drops_too_many_users_changes_nothing(place: Place) -> None:
    place.take(named("ann"), named("bob"))
    text = place.site.assign.read_bytes()
    with pytest.raises(RosterError, match="1 of 2 users would be removed"):
        place.take(named("ann"))
    assert place.site.assign.read_bytes() == text


# -- what was there before --------------------------------------------------------------------------------------------


def test_what_is_replaced_is_kept(place: Place) -> None:
    place.take(named("ann", domains=ORG))
    old = place.site.assign.read_bytes()
    report = place.take(named("bob"), max_drop=1)
    assert report.last == (place.last, place.site.control / "domains.last")
    assert place.last.read_bytes() == old
    assert (place.site.control / "domains.last").read_text() == "ann:example.org\n"


def test_what_changes_nothing_replaces_nothing(place: Place) -> None:
    place.take(named("ann", domains=ORG))
    assert place.take(named("ann", domains=ORG)).last == ()
    assert place.last.read_bytes() == b".\n"


@pytest.mark.parametrize("octets", [None, b"torn", b"longer"])
def test_a_database_that_does_not_say_what_the_text_says_is_compiled_again(place: Place, octets: bytes | None) -> None:
    place.take(named("ann"))
    compiled = place.site.assign_compiled.read_bytes()
    if octets is None:
        place.site.assign_compiled.unlink()
    else:
        place.site.assign_compiled.write_bytes(octets if octets == b"torn" else compiled + octets)
    place.take(named("ann"))
    assert place.site.assign_compiled.read_bytes() == compiled


def test_a_table_that_is_wrong_is_an_error(place: Place) -> None:
    place.site.assign.write_bytes(b"=ann\n.\n")
    with pytest.raises(SettingsError, match="line 1"):
        place.take(named("ann"))


# -- domains ----------------------------------------------------------------------------------------------------------


def test_domains_of_the_source_are_taken_over(place: Place) -> None:
    place.take(named("ann", domains=ORG), named("bob"))
    assert place.site.domains.read_text() == "ann:example.org\n"


def test_domains_of_whom_the_source_says_none_stay_and_of_the_removed_go(place: Place) -> None:
    place.take(named("ann"), named("bob"))
    place.site.domains.write_text("ann:example.org\nbob:example.org\n")
    place.take(named("ann"), max_drop=1)
    assert place.site.domains.read_text() == "ann:example.org\n"


def test_only_new_users_get_domains_when_only_new_users_are_taken(place: Place) -> None:
    place.take(named("ann"))
    place.take(named("ann", domains=ORG), named("bob", domains=ORG), add_only=True)
    assert place.site.domains.read_text() == "bob:example.org\n"


def test_a_domain_that_is_not_local_is_an_error(place: Place) -> None:
    with pytest.raises(RosterError, match=r"example\.net: is not in"):
        place.take(named("ann", domains=(DomainName("example.net"),)))
    assert place.site.assign.read_bytes() == b".\n"


def test_domains_that_cannot_be_read_are_an_error(place: Place) -> None:
    place.site.domains.mkdir()
    with pytest.raises(SettingsError, match="domains: Is a directory"):
        place.take(named("ann", domains=ORG))
    assert place.site.assign.read_bytes() == b".\n"


def test_a_user_whose_name_is_none_of_ours_can_be_removed(place: Place) -> None:
    place.site.assign.write_bytes(b"=Joe:Joe:1:1:/home/joe:::\n.\n")
    place.take(max_drop=1)
    assert place.site.assign.read_bytes() == b".\n"


# -- homes ------------------------------------------------------------------------------------------------------------


def test_homes_mailboxes_and_links_are_made_when_asked_for(place: Place, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    settings = {"home_link": f"{tmp_path}/home/{{user}}"}
    report = place.take(named("ann"), make_homes=True, settings=settings)
    assert report.homes_made == 1
    assert (place.root / "a" / "ann" / "Maildir" / "new").is_dir()
    assert (tmp_path / "home" / "ann").readlink() == place.root / "a" / "ann"


def test_homes_of_users_who_are_there_already_are_made_if_missing(place: Place) -> None:
    place.take(named("ann"))
    assert place.take(named("ann"), make_homes=True).homes_made == 1
    assert (place.root / "a" / "ann" / "Maildir").is_dir()
    assert place.take(named("ann"), make_homes=True).homes_made == 0


def test_who_is_not_in_the_source_gets_no_home(place: Place) -> None:
    place.take(named("ann"))
    place.take(named("bob"), add_only=True, make_homes=True)
    assert [each.name for each in place.root.iterdir()] == ["b"]


def test_a_new_user_whose_home_cannot_be_made_is_not_added_and_the_others_are(place: Place) -> None:
    (place.root / "a" / "ann" / "else").mkdir(parents=True)
    report = place.take(named("ann"), named("bob"), make_homes=True)
    assert report.troubles == (Trouble("ann", f"{place.root}/a/ann: is in use, and not as a home"),)
    assert list(place.homes()) == ["bob"]


def test_a_user_who_is_there_stays_when_the_home_cannot_be_made(place: Place) -> None:
    place.take(named("ann"))
    (place.root / "a").write_bytes(b"")
    report = place.take(named("ann"), make_homes=True)
    assert [trouble.user for trouble in report.troubles] == ["ann"]
    assert list(place.homes()) == ["ann"]


# -- stopped in the middle --------------------------------------------------------------------------------------------


class StoppedError(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_taking_over_goes_on_wherever_it_stopped(place: Place, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    place.take(named("ann"))
    made: list[object] = []

    def stopping(function: Any) -> Any:
        def stop(*arguments: Any) -> Any:
            made.append(arguments)
            if len(made) == calls:
                raise StoppedError
            return function(*arguments)

        return stop

    with monkeypatch.context() as patch:
        for name in ("_replace", "publish_plain"):
            patch.setattr(roster_files, name, stopping(getattr(roster_files, name)))
        with pytest.raises(StoppedError):
            place.take(named("bob", domains=ORG), max_drop=1)
    place.take(named("bob", domains=ORG), max_drop=1)
    assert list(place.homes()) == ["bob"]
    assert place.site.domains.read_text() == "bob:example.org\n"
    assert b"=ann:" in place.last.read_bytes()
