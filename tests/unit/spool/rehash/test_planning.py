"""Tests of ``spool.rehash.planning``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spool.errors import NoSuchUserError
from spool.names import DomainName, UserName
from spool.progress import NoProgress
from spool.rehash.directories import HashDirectories
from spool.rehash.planning import Plan, Planner, Wanted, octets_in
from tests.rehash_sites import RehashSite


def plan(site: RehashSite, to: str = "first-two", *users: str, sizes: bool = False, **wanted: Any) -> Plan:
    directories = HashDirectories(site.root, device_of=site.device_of)
    planner = Planner(site.site, site.settings, directories)
    return planner.plan(Wanted(to, frozenset(map(UserName, users)), **wanted), NoProgress(), sizes=sizes)


def reasons(plan: Plan) -> list[str]:
    return [trouble.reason for trouble in plan.obstacles]


def test_those_are_moved_who_are_elsewhere(site: RehashSite) -> None:
    found = plan(site)
    assert [(move.user.text, move.new) for move in found.moves] == [
        ("max", site.root / "m" / "a" / "max"),
        ("zoe", site.root / "z" / "o" / "zoe"),
    ]
    assert (found.users, found.in_place, found.hand_placed, found.obstacles) == (2, 0, 0, ())
    assert len(found.evenness) == 8
    assert plan(site, "letter").in_place == 2


def test_who_was_placed_by_hand_is_moved_only_if_named(site: RehashSite) -> None:
    site.add("ann", home=site.directory / "ann")
    site.add("bob", home=site.root / "by" / "hand" / "bob")
    site.add("joe", home=site.root / "other")
    assert plan(site).hand_placed == 3
    assert [move.user.text for move in plan(site, "first-two", "ann").moves] == ["ann"]


def test_who_another_layout_has_placed_is_moved(site: RehashSite) -> None:
    site.add("ann", home=site.root / "ann")
    assert [move.user.text for move in plan(site).moves] == ["ann", "max", "zoe"]


def test_users_may_be_chosen_by_domain(site: RehashSite) -> None:
    site.site.domains.write_text("zoe:example.org\nmax:example.net\n")
    found = plan(site, domain=DomainName("example.org"))
    assert [move.user.text for move in found.moves] == ["zoe"]


def test_a_user_who_is_none_cannot_be_moved(site: RehashSite) -> None:
    with pytest.raises(NoSuchUserError, match="no user ann, bob"):
        plan(site, "first-two", "zoe", "bob", "ann")


def test_a_site_without_users_has_nothing_to_move(tmp_path: Path) -> None:
    site = RehashSite(tmp_path / "place").make()
    site.add()
    found = plan(site)
    assert (found.users, found.moves, found.obstacles, found.evenness) == (0, [], (), ())


def test_a_home_in_the_place_of_a_hash_directory_is_an_obstacle(site: RehashSite) -> None:
    site.add("z", home=site.root / "z")
    assert f"{site.root}/z/o/zoe lies in {site.root}/z, a home of z" in reasons(plan(site))


def test_two_at_one_place_are_an_obstacle(site: RehashSite) -> None:
    site.add("ann", home=site.root / "z" / "o" / "zoe")
    assert f"{site.root}/z/o/zoe is the home of ann" in reasons(plan(site))


def test_what_is_at_a_new_place_is_an_obstacle_unless_it_is_a_link(site: RehashSite) -> None:
    (site.root / "z" / "o").mkdir(parents=True)
    (site.root / "z" / "o" / "zoe").symlink_to("x")
    assert reasons(plan(site)) == []
    (site.root / "z" / "o" / "zoe").unlink()
    (site.root / "z" / "o" / "zoe").touch()
    assert reasons(plan(site)) == [f"{site.root}/z/o/zoe is there already"]


def test_a_maildir_outside_of_homes_cannot_be_moved(tmp_path: Path) -> None:
    site = RehashSite(tmp_path / "place", maildrop=(f"{tmp_path}/out/{{hash}}/{{user}}/",)).make()
    (tmp_path / "out").mkdir()
    site.add("zoe")
    assert "cannot be moved together with a home" in reasons(plan(site))[0]


def test_a_mailbox_that_follows_the_setting_keeps_the_setting(tmp_path: Path) -> None:
    site = RehashSite(tmp_path / "place", maildrop=(f"{tmp_path}/out/{{hash}}/{{user}}",)).make()
    (tmp_path / "out").mkdir()
    site.add("ann", home=tmp_path / "ann")
    site.add("zoe")
    assert "there {hash} follows the setting" in reasons(plan(site))[0]
    assert reasons(plan(site, "first-two", "zoe")) == []


def test_transfers_tell_file_systems_room_and_sizes(two_disks: RehashSite) -> None:
    found = plan(two_disks, sizes=True)
    assert sorted((transfer.copied, transfer.mailboxes) for transfer in found.transfers) == [(False, 1), (True, 2)]
    assert all(transfer.octets and transfer.free_octets for transfer in found.transfers)
    assert all(transfer.octets is None for transfer in plan(two_disks).transfers)


def test_what_cannot_be_measured_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x" * 5000)
    assert octets_in(tmp_path) >= 5000
    assert octets_in(tmp_path / "missing") == 0
