"""Tests of ``spool.rehash.rehash``, and of moving and copying as it does them."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spool import system_calls
from spool.assign_directory import AssignDirectory
from spool.errors import SpoolError
from spool.mailbox import MailboxKind
from spool.maintenance import maintenance
from spool.names import UserName
from spool.rehash import rehash, tree_copy
from spool.rehash.copier import kept_home
from spool.rehash.journal import Journal
from spool.rehash.moves import RehashError
from spool.rehash.planning import Planner
from spool.rehash.rehash import Report
from spool.roster import Roster
from tests.rehash_sites import Clock, RehashSite, disk_of

DAY = 86400


def reasons(report: Report) -> str:
    return "\n".join(trouble.reason for trouble in report.failed)


def journal_of(site: RehashSite) -> Journal:
    journal = Journal.load(site.site.maintenance)
    assert journal is not None
    return journal


# -- moving -----------------------------------------------------------------------------------------------------------


def test_everybody_is_moved_with_all_mail_and_new_users_follow(site: RehashSite) -> None:
    before = site.all_messages()
    report = site.run("first-two")
    assert (report.moved, report.layout, report.links_removed, report.failed) == (2, "first-two", 2, [])
    assert site.all_messages() == before
    assert site.record("zoe").home == site.root / "z" / "o" / "zoe"
    assert sorted(path.name for path in site.root.iterdir()) == ["m", "z"]
    assert site.settings.layout == "first-two"


def test_a_second_run_finds_nothing_to_do(site: RehashSite) -> None:
    site.run("first-two")
    assert site.run("first-two").moved == 0


def test_a_run_of_some_moves_them_and_leaves_the_setting(site: RehashSite) -> None:
    report = site.run("first-two", ["zoe"])
    assert (report.moved, report.layout) == (1, None)
    assert site.settings.layout == "letter"


def test_home_links_follow(tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    site = RehashSite(tmp_path / "place").make(home_link=f"{links}/{{user}}")
    site.add("zoe", "ann")
    (links / "ann").unlink()
    site.run("first-two")
    assert (links / "zoe").readlink() == site.root / "z" / "o" / "zoe"
    assert not (links / "ann").exists()


def test_batches_are_published_one_by_one_at_the_rate_asked_for(site: RehashSite) -> None:
    began = site.clock.now
    report = replace(site, batch=1).run("first-two", rate=0.5)
    assert (report.moved, journal_of(site).batches) == (2, 2)
    site.add("ann", "bob")
    site.clock.now = began
    assert site.run("letter", rate=0.5).seconds >= 6


def test_a_busy_mailbox_is_put_off_and_tried_again(site: RehashSite) -> None:
    session = site.mailbox("zoe").open_maildrop()
    report = site.run("first-two")
    assert (report.moved, report.busy) == (1, [UserName("zoe")])
    assert site.record("zoe").home == site.root / "r" / "zoe"
    session.close()
    assert site.run("first-two").moved == 1


def test_a_mailbox_that_is_free_again_is_moved_in_the_same_run(site: RehashSite) -> None:
    session = site.mailbox("zoe").open_maildrop()

    class Closing(Clock):
        def sleep(self, seconds: float) -> None:
            session.close()
            super().sleep(seconds)

    site.clock = Closing()
    report = site.run("first-two")
    assert (report.moved, report.busy) == (2, [])


def test_trouble_with_one_mailbox_is_told_and_the_others_go_on(site: RehashSite) -> None:
    (site.root / "r" / "zoe" / "Maildir").rename(site.root / "r" / "zoe" / "elsewhere")
    (site.root / "r" / "zoe" / "Mailbox").mkdir()
    report = site.run("first-two")
    assert report.moved == 1
    assert "expected mbox" in reasons(report)


def test_a_home_that_is_missing_is_trouble(site: RehashSite) -> None:
    (site.root / "r" / "zoe").rename(site.directory / "aside")
    assert "No such file or directory" in reasons(site.run("first-two"))


def test_something_that_comes_to_the_new_place_is_in_the_way(site: RehashSite) -> None:
    (site.root / "z" / "o").mkdir(parents=True)
    (site.root / "z" / "o" / "zoe").symlink_to("elsewhere")
    assert "is there already" in reasons(site.run("first-two"))
    assert site.messages("zoe")


def test_a_directory_that_cannot_be_made_is_trouble_of_those_who_need_it(site: RehashSite) -> None:
    (site.root / "z").touch()
    report = site.run("first-two")
    assert (report.moved, len(report.failed)) == (1, 1)


def test_obstacles_keep_everything_where_it_is(site: RehashSite) -> None:
    (site.root / "z" / "o" / "zoe").mkdir(parents=True)
    report = site.run("first-two")
    assert (report.moved, len(report.obstacles)) == (0, 1)
    assert site.settings.layout == "letter"


def test_who_was_reassigned_meanwhile_is_put_back(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    move_homes = Roster.move_homes

    def reassigned(roster: Any, moves: Any) -> Any:
        assign = site.site.assign
        assign.write_bytes(assign.read_bytes().replace(str(site.root / "r" / "zoe").encode(), b"/elsewhere"))
        return move_homes(roster, moves)

    monkeypatch.setattr(Roster, "move_homes", reassigned)
    report = site.run("first-two")
    assert report.moved == 1
    assert "was changed meanwhile" in reasons(report)
    assert (site.root / "r" / "zoe" / "Maildir").is_dir()


def test_who_cannot_be_put_back_is_told(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    move_homes = Roster.move_homes

    def reassigned(roster: Any, moves: Any) -> Any:
        assign = site.site.assign
        assign.write_bytes(assign.read_bytes().replace(str(site.root / "r" / "zoe").encode(), b"/elsewhere"))
        (site.root / "r" / "zoe").unlink()
        return move_homes(roster, moves)

    monkeypatch.setattr(Roster, "move_homes", reassigned)
    assert len(site.run("first-two").failed) == 2


def test_without_the_right_call_a_home_is_renamed(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_names: Path) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    before = site.all_messages()
    monkeypatch.setattr(system_calls, "exchange", cannot)
    assert site.run("first-two").moved == 2
    assert site.all_messages() == before


def test_a_disk_that_fails_leaves_a_home_where_it_was(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_names: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = site.all_messages()
    monkeypatch.setattr(system_calls, "exchange", fails)
    report = site.run("first-two")
    assert (report.moved, len(report.failed)) == (0, 2)
    assert site.all_messages() == before
    assert site.links() == []


def test_mail_arrives_and_is_read_while_everybody_is_moved(site: RehashSite) -> None:
    site.add(*(f"user{number}" for number in range(30)))
    stop, delivered, trouble = threading.Event(), [], []
    names = [f"user{number}" for number in range(30)]
    turn, count = threading.Condition(), 0

    class LongEnough(Clock):
        """Links stand for longer than anybody works with a home that was looked up: until two more turns are over."""

        def sleep(self, seconds: float) -> None:
            with turn:
                last = count + 2
                turn.wait_for(lambda: count >= last, timeout=60)
            super().sleep(seconds)

    def deliver() -> None:
        nonlocal count
        while not stop.is_set():
            name, text = names[count % len(names)], f"number {count}"
            try:
                site.deliver(name, text)
                delivered.append((name, f"Subject: {text}\r\n\r\n{text}\r\n".encode()))
                site.messages(name)
            except SpoolError as error:
                trouble.append(error)
            with turn:
                count += 1
                turn.notify()

    thread = threading.Thread(target=deliver)
    thread.start()
    layouts = ["first-two", "hex2", "letter"]
    for layout in layouts:
        report = replace(site, batch=7, clock=LongEnough()).run(layout)
        assert not report.failed
        for user in report.busy:
            replace(site, batch=7, clock=LongEnough()).run(layout, [user.text])
    stop.set()
    thread.join()
    assert trouble == []
    assert delivered
    for name in names:
        found = [message.octets for message in site.messages(name)]
        assert sorted(found) == sorted(octets for owner, octets in delivered if owner == name)


# -- again, and back --------------------------------------------------------------------------------------------------


def test_another_rehash_waits_for_the_one_before(site: RehashSite) -> None:
    broken(site)
    with pytest.raises(RehashError, match="the rehash to first-two is not finished"):
        site.run("hex2")
    site.run("first-two")
    assert site.run("hex2").moved == 2
    assert journal_of(site).to == "hex2"


class BrokenOffError(Exception):
    """The program was stopped."""


def broken(site: RehashSite) -> None:
    """Stop a run when it waits for the time of links."""

    class Stopping(Clock):
        def sleep(self, seconds: float) -> None:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        replace(site, clock=Stopping()).run("first-two")


def test_a_broken_batch_is_carried_out_by_the_next_run(site: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: object) -> None:
        raise BrokenOffError

    with monkeypatch.context() as patch:
        patch.setattr(Roster, "move_homes", breaks)
        with pytest.raises(BrokenOffError):
            site.run("first-two")
    assert journal_of(site).open is not None
    assert site.messages("zoe", site.root / "r" / "zoe")
    assert site.run("first-two").moved == 2


def test_trouble_that_is_met_again_after_a_broken_batch_is_told_once(
    site: RehashSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_arguments: object) -> None:
        raise BrokenOffError

    (site.root / "r" / "zoe" / "Maildir").rename(site.root / "r" / "zoe" / "elsewhere")
    (site.root / "r" / "zoe" / "Mailbox").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Roster, "move_homes", breaks)
        with pytest.raises(BrokenOffError):
            site.run("first-two")
    report = site.run("first-two")
    assert report.moved == 1
    assert [trouble.user for trouble in report.failed] == [UserName("zoe")]


def test_all_goes_back(site: RehashSite) -> None:
    before = {name: record.home for name, record in site.records().items()}
    messages = site.all_messages()
    site.run("first-two")
    report = site.undo()
    assert (report.moved, report.layout) == (2, "letter")
    assert {name: record.home for name, record in site.records().items()} == before
    assert site.all_messages() == messages
    assert site.links() == []
    assert site.undo().moved == 0


def test_some_go_back(site: RehashSite) -> None:
    site.run("first-two")
    report = site.undo("zoe")
    assert (report.moved, report.layout) == (1, None)
    assert site.record("zoe").home == site.root / "r" / "zoe"


def test_what_was_never_moved_does_not_go_back(site: RehashSite) -> None:
    with pytest.raises(RehashError, match="nothing was rehashed"):
        site.undo()


def test_only_one_works_at_a_time(site: RehashSite) -> None:
    with maintenance(site.site), pytest.raises(SpoolError, match="another maintenance program"):
        site.run("first-two")


# -- mboxes outside of homes ------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> RehashSite:
    """A site whose mboxes lie in ``out/{hash}/{user}``."""
    (tmp_path / "place" / "out").mkdir(parents=True)
    site = RehashSite(tmp_path / "place", maildrop=(f"{tmp_path}/place/out/{{hash}}/{{user}}",)).make()
    site.add("zoe", "max")
    site.deliver("zoe", "one", "two")
    (site.directory / "out" / "n" / "max").unlink()
    return site


def test_an_mbox_outside_follows_the_home(outside: RehashSite) -> None:
    before = outside.all_messages()
    assert outside.run("first-two").moved == 2
    assert outside.all_messages() == before
    assert (outside.directory / "out" / "z" / "o" / "zoe").is_file()
    assert not (outside.directory / "out" / "r" / "zoe").exists()


def test_an_mbox_in_use_keeps_the_home_where_it_is(outside: RehashSite) -> None:
    (outside.directory / "out" / "r" / "zoe.lock").touch()
    report = outside.run("first-two")
    assert report.busy == [UserName("zoe")]
    assert not (outside.directory / "out" / "z" / "o" / "zoe").exists()


def test_another_mbox_at_the_new_place_keeps_the_home_where_it_is(outside: RehashSite) -> None:
    other = outside.directory / "out" / "z" / "o" / "zoe"
    other.parent.mkdir(parents=True)
    other.write_text("another")
    assert "is not the mbox" in reasons(outside.run("first-two"))
    assert other.read_text() == "another"
    assert outside.messages("zoe")


# -- to another file system -------------------------------------------------------------------------------------------


def test_a_home_is_copied_kept_and_removed(two_disks: RehashSite) -> None:
    before = two_disks.all_messages()
    report = two_disks.run("first-two")
    assert (report.moved, report.kept, report.failed) == (3, 2, [])
    assert two_disks.all_messages() == before
    assert (two_disks.root / "q" / ".bob.rehashed" / "Maildir").is_dir()
    two_disks.clock.now += DAY
    assert two_disks.run("first-two").kept == 0
    assert not (two_disks.root / "q").exists()
    assert two_disks.all_messages() == before


def test_late_mail_is_taken_along_once_with_its_unique_id(two_disks: RehashSite) -> None:
    late = {name: two_disks.mailbox(name) for name in ("bob", "max")}
    two_disks.run("first-two")
    for name, mailbox in late.items():
        home = kept_home(journal_of(two_disks).kept[UserName(name)].move)
        path = home / mailbox.location.path.name
        if mailbox.location.kind is MailboxKind.MAILDIR:
            (path / "new" / "late.1").write_text("Subject: late\n\nlate\n")
        else:
            path.write_text(f"{path.read_text()}From x@y Thu Jan  1 00:00:00 1970\nSubject: late\n\nlate\n\n")
    assert two_disks.run("first-two").late == 2
    assert two_disks.run("first-two").late == 0
    for name in late:
        assert [message.octets for message in two_disks.messages(name)][2:] == [b"Subject: late\r\n\r\nlate\r\n"]
    assert "late.1" in [message.unique_id for message in two_disks.messages("bob")]
    two_disks.clock.now += DAY
    assert two_disks.run("first-two").kept == 0


def kept_bob(site: RehashSite) -> Path:
    site.run("first-two")
    site.clock.now += DAY
    return site.root / "q" / ".bob.rehashed"


def test_an_old_home_in_which_something_else_was_changed_is_not_removed(two_disks: RehashSite) -> None:
    kept = kept_bob(two_disks)
    (kept / "diary").write_text("dear")
    report = two_disks.run("first-two")
    assert "diary was changed after it was copied" in reasons(report)
    assert report.kept == 1


def test_a_late_delivery_s_entry_in_the_quota_file_does_not_keep_an_old_home(two_disks: RehashSite) -> None:
    kept = kept_bob(two_disks)
    (kept / "Maildir" / "new" / "late.1").write_text("Subject: late\n\nlate\n")
    (kept / "Maildir" / "maildirsize").write_text("1000S\n20 1\n")
    report = two_disks.run("first-two")
    assert (report.late, report.kept, report.failed) == (1, 0, [])
    assert not kept.exists()


@pytest.mark.parametrize(("age", "left"), [(0, 1), (3 * DAY, 0)])
def test_an_old_home_waits_for_deliveries_under_way(two_disks: RehashSite, age: int, left: int) -> None:
    kept = kept_bob(two_disks)
    file = kept / "Maildir" / "tmp" / "half"
    file.touch()
    os.utime(file, (two_disks.clock.now - age,) * 2)
    assert two_disks.run("first-two").kept == left


def test_what_was_marked_meanwhile_is_no_late_mail(two_disks: RehashSite) -> None:
    kept = kept_bob(two_disks)
    (message, *_) = (kept / "Maildir" / "new").iterdir()
    message.rename(kept / "Maildir" / "cur" / f"{message.name}:2,S")
    report = two_disks.run("first-two")
    assert (report.late, report.kept) == (0, 0)


def test_an_old_home_of_nobody_is_kept_and_told(two_disks: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_bob(two_disks)
    record = two_disks.record("bob")
    monkeypatch.setattr(AssignDirectory, "user", lambda _directory, _user: replace(record, uid=record.uid + 1))
    assert "is uid" in reasons(two_disks.run("first-two"))


def test_a_busy_old_home_waits(two_disks: RehashSite) -> None:
    kept_bob(two_disks)
    kept = kept_home(journal_of(two_disks).kept[UserName("max")].move)
    (kept / "Mailbox.lock").touch()
    report = two_disks.run("first-two")
    assert (report.busy, report.kept) == ([UserName("max")], 1)


def test_an_old_home_that_is_gone_is_forgotten(two_disks: RehashSite) -> None:
    kept_bob(two_disks).rename(two_disks.directory / "gone")
    assert two_disks.run("first-two").kept == 0


def test_without_its_manifest_an_old_home_is_kept(two_disks: RehashSite) -> None:
    kept_bob(two_disks)
    (two_disks.site.maintenance / "rehash-copies" / "bob").write_text("{}")
    assert "no manifest" in reasons(two_disks.run("first-two"))


def test_copies_go_back(two_disks: RehashSite) -> None:
    before = two_disks.all_messages()
    homes = {name: record.home for name, record in two_disks.records().items()}
    two_disks.run("first-two")
    two_disks.clock.now += DAY
    assert two_disks.undo().moved == 3
    assert two_disks.all_messages() == before
    assert {name: record.home for name, record in two_disks.records().items()} == homes
    two_disks.clock.now += DAY
    assert two_disks.undo().kept == 0


def test_copies_go_back_only_when_nothing_can_come_late_to_the_old_homes(two_disks: RehashSite) -> None:
    homes = {name: record.home for name, record in two_disks.records().items()}
    late = two_disks.mailbox("max").location.path.open("ab")
    two_disks.run("first-two")
    report = two_disks.undo()
    assert (report.moved, report.waiting, report.kept) == (1, [UserName("bob"), UserName("max")], 2)
    late.write(b"From x@y Thu Jan  1 00:00:00 1970\nSubject: late\n\nlate\n\n")
    late.close()
    two_disks.clock.now += DAY
    report = two_disks.undo()
    assert (report.moved, report.waiting, report.late) == (2, [], 1)
    assert {name: record.home for name, record in two_disks.records().items()} == homes
    assert [message.octets for message in two_disks.messages("max")][2:] == [b"Subject: late\r\n\r\nlate\r\n"]


def test_who_has_an_old_home_is_not_copied_again(two_disks: RehashSite) -> None:
    kept = kept_bob(two_disks)
    (kept / "diary").write_text("dear")
    report = two_disks.undo("bob")
    assert f"{kept}: is not removed" in reasons(report)
    assert report.waiting == [UserName("bob")]
    assert two_disks.record("bob").home == two_disks.root / "b" / "o" / "bob"


def test_a_stranger_at_the_new_place_is_not_overwritten(two_disks: RehashSite) -> None:
    def comes(*_arguments: object) -> None:
        (two_disks.root / "b" / "o" / "bob").mkdir(parents=True, exist_ok=True)

    class Coming(Planner):
        def plan(self, *arguments: Any, **names: Any) -> Any:
            plan = super().plan(*arguments, **names)
            comes()
            return plan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehash, "Planner", Coming)
        assert "is there already" in reasons(two_disks.run("first-two"))


def test_a_home_with_a_fifo_is_copied_and_its_old_home_removed(two_disks: RehashSite) -> None:
    os.mkfifo(two_disks.root / "q" / "bob" / "pipe")
    assert not two_disks.run("first-two").failed
    two_disks.clock.now += 1_000_000
    report = two_disks.run("first-two")
    assert (report.failed, report.kept) == ([], 0)


def test_a_copy_that_fails_leaves_no_mail_behind(two_disks: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(tree_copy, "_copy_file", fails)
    assert "broken" in reasons(two_disks.run("first-two"))
    assert not list(two_disks.root.rglob(".*.rehashing"))


def test_a_copy_needs_the_old_home(two_disks: RehashSite) -> None:
    (two_disks.root / "q" / "bob").rename(two_disks.directory / "aside")
    assert "no home of uid" in reasons(two_disks.run("first-two"))


def test_a_copied_user_who_was_reassigned_is_told(two_disks: RehashSite, monkeypatch: pytest.MonkeyPatch) -> None:
    move_homes = Roster.move_homes

    def reassigned(roster: Any, moves: Any) -> Any:
        assign = two_disks.site.assign
        assign.write_bytes(assign.read_bytes().replace(str(two_disks.root / "q" / "bob").encode(), b"/elsewhere"))
        return move_homes(roster, moves)

    monkeypatch.setattr(Roster, "move_homes", reassigned)
    assert "was changed meanwhile" in reasons(two_disks.run("first-two"))
    assert (two_disks.root / "b" / "o" / "bob" / "Maildir").is_dir()


def test_late_mail_is_found_in_a_directory_of_the_home(tmp_path: Path) -> None:
    site = RehashSite(tmp_path / "place", maildrop=("{home}/mail/inbox",))
    site.device_of = disk_of(site.root)
    site.make()
    for letter in "qb":
        (site.root / letter).mkdir()
    site.add("bob")
    site.deliver("bob", "one")
    site.run("first-two")
    inbox = site.root / "q" / ".bob.rehashed" / "mail" / "inbox"
    inbox.write_text(f"{inbox.read_text()}From x@y Thu Jan  1 00:00:00 1970\n\nlate\n\n")
    assert site.run("first-two").late == 1
    assert len(site.messages("bob")) == 2


def test_an_mbox_outside_of_a_copied_home_is_moved_and_has_no_late_mail(tmp_path: Path) -> None:
    (tmp_path / "place" / "out").mkdir(parents=True)
    site = RehashSite(tmp_path / "place", maildrop=(f"{tmp_path}/place/out/{{hash}}/{{user}}",))
    site.device_of = disk_of(site.root)
    site.make()
    for letter in "qb":
        (site.root / letter).mkdir()
    site.add("bob")
    site.deliver("bob", "one")
    before = site.all_messages()
    assert site.run("first-two").failed == []
    assert site.all_messages() == before
    site.clock.now += DAY
    assert site.run("first-two").kept == 0


def test_a_home_whose_mbox_has_no_directory_yet_is_trouble(outside: RehashSite) -> None:
    (outside.directory / "out" / "n").rmdir()
    assert "no such directory" in reasons(outside.run("first-two"))


def test_what_is_no_link_of_ours_is_not_removed(site: RehashSite) -> None:
    broken(site)
    link = site.root / "r" / "zoe"
    link.unlink()
    link.symlink_to("elsewhere")
    assert site.run("first-two").links_removed == 1
    assert link.is_symlink()


def test_an_mbox_outside_stays_if_its_directory_does(outside: RehashSite) -> None:
    outside.add("kim", home=outside.root / "r" / "named-otherwise")
    outside.deliver("kim", "one")
    before = outside.messages("kim")
    assert outside.run("flat", ["kim"]).moved == 1
    assert outside.messages("kim") == before
    outside.add("amy", home=outside.root / "other")
    outside.deliver("amy", "one")
    assert outside.run("flat", ["amy"]).moved == 1
    assert len(outside.messages("amy")) == 1
