"""Tests of ``spool.importing.importer`` and ``spool.importing.user_import``, whose work it does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError, NoSuchUserError
from spool.foreign_ids.old_mailbox import IdFinder
from spool.foreign_ids.sources import SourceOptions, source_named
from spool.importing.old_spool import old_layout_named
from spool.importing.options import Emptied, Outcome
from spool.importing.retiring import ASIDE_SECONDS
from spool.mailbox import MailboxKind
from spool.names import DomainName, UserName
from spool.session_lock import SessionLock
from tests.unit.spool.importing.old_mail import Old, old_mbox, old_message, old_spool_in, shown


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    return old_spool_in(tmp_path, request.param)


@pytest.fixture
def to_mbox(tmp_path: Path) -> Old:
    return old_spool_in(tmp_path, MailboxKind.MBOX)


def test_mail_is_moved_in_order_and_the_old_mbox_stays_empty(old: Old) -> None:
    old.site.deliver("ann", b"Subject: new\n\n")
    old.mbox.write_bytes(old_mbox([1, 2, 3]))
    imported = old.run()
    assert (imported.messages, imported.without_user, imported.unknown) == (3, (), ())
    assert [octets for octets in old.octets() if b"new" not in octets] == shown([1, 2, 3])
    assert old.mbox.read_bytes() == b""


def test_the_next_run_takes_what_has_come_since(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1]))
    old.run()
    with old.mbox.open("ab") as file:
        file.write(old_message(2))
    assert old.run().messages == 1
    assert old.run().messages == 0
    assert old.octets() == shown([1, 2])


def test_marks_of_mail_readers_are_kept(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1, 2]).replace(b"Subject: 2\n", b"Subject: 2\nStatus: RO\nX-UID: 7\n"))
    old.run()
    assert old.octets() == shown([1, 2])
    assert old.site.last_accessed("ann") == 2


def test_mail_of_nobody_is_told_and_not_touched(old: Old) -> None:
    zed = old.options.old_spool / "zed"
    zed.write_bytes(old_mbox([1]))
    assert old.run().without_user == (zed,)
    assert old.run(excluded=frozenset({"zed"})).without_user == ()
    assert zed.read_bytes() == old_mbox([1])


def test_only_users_of_the_domain_are_imported(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1]))
    (old.site.directory / "control" / "domains").write_text("ann:example.org\n")
    assert old.run(domain=DomainName("example.net")).users == ()
    assert old.run(domain=DomainName("example.org")).messages == 1


def test_users_without_a_line_belong_to_every_domain(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1]))
    assert old.run(domain=DomainName("example.net")).messages == 1


def test_what_is_asked_for_must_exist(old: Old) -> None:
    with pytest.raises(NoSuchUserError):
        old.run(users=(UserName("zed"),))
    for wrong in ({"old_spool": old.mbox / "missing"}, {"drops": old.mbox / "missing"}):
        with pytest.raises(MailboxUnavailableError):
            old.run(**wrong)


def test_a_dry_run_counts_and_changes_nothing(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1, 2]))
    assert old.run(dry_run=True).messages == 2
    old.drop.write_bytes(old_mbox([1]))
    old.aside.write_bytes(old_mbox([4]))
    before = {path: path.stat().st_mtime_ns for path in old.site.directory.rglob("*") if path.name != "maintenance"}
    assert old.run(dry_run=True).messages == 3
    assert old.ann(dry_run=True).messages == 3
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before
    assert old.octets() == []


@pytest.mark.parametrize("place", ["mbox", "drop", "aside"])
def test_a_dry_run_refuses_what_the_run_refuses(old: Old, place: str) -> None:
    path: Path = getattr(old, place)
    os.mkfifo(path)
    told = old.ann(dry_run=True)
    assert (told.outcome, told.detail) == (Outcome.TROUBLE, f"{path}: not a regular file")
    assert old.ann().detail == told.detail


def test_one_trouble_does_not_keep_the_others_from_their_mail(old: Old) -> None:
    old.site.add("bob", MailboxKind.MBOX)
    old.mbox.write_bytes(b"no mbox\n")
    (old.options.old_spool / "bob").write_bytes(old_mbox([1]))
    imported = old.run()
    assert [user.user.text for user in imported.of(Outcome.TROUBLE)] == ["ann"]
    assert [user.user.text for user in imported.of(Outcome.DONE)] == ["bob"]
    assert old.site.octets("bob") == shown([1])


def test_a_planted_link_is_trouble(old: Old, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(old_mbox([1]))
    old.mbox.symlink_to(tmp_path / "target")
    assert old.ann().outcome is Outcome.TROUBLE
    assert old.octets() == []


def test_a_hashed_spool_is_imported(old: Old) -> None:
    (old.options.old_spool / "a" / "n").mkdir(parents=True)
    (old.options.old_spool / "a" / "n" / "ann").write_bytes(old_mbox([1]))
    assert old.run(layout=old_layout_named("qpopper2")).messages == 1


# -- unique-ids -------------------------------------------------------------------------------------------------------


def test_unique_ids_of_the_old_server_are_kept(old: Old) -> None:
    octets = old_message(1).replace(b"\n", b"\nX-UIDL: id-1\n", 1) + old_message(2)
    old.mbox.write_bytes(octets)
    old.drop.write_bytes(old_message(3).replace(b"\n", b"\nX-UIDL: id-3\n", 1))
    old.run(ids=source_named("x-uidl", SourceOptions()))
    ids = {message.octets: message.unique_id for message in old.site.messages("ann")}
    assert (ids[shown([1])[0]], ids[shown([3])[0]]) == ("id-1", "id-3")


def test_an_mbox_that_is_read_gets_messages_with_ids_later(to_mbox: Old) -> None:
    to_mbox.mbox.write_bytes(old_message(1).replace(b"\n", b"\nX-UIDL: id-1\n", 1))
    source = source_named("x-uidl", SourceOptions())
    lock = SessionLock(to_mbox.site.location("ann"))
    assert to_mbox.ann(ids=source).outcome is Outcome.BUSY
    lock.release()
    assert to_mbox.ann(ids=source).outcome is Outcome.DONE
    assert [message.unique_id for message in to_mbox.site.messages("ann")] == ["id-1"]


@dataclass(frozen=True)
class Asked:
    """A source that must be asked once for each user."""

    asked: list[UserName]
    name: str = "asked"

    def finder(self, user: UserName) -> IdFinder:
        self.asked.append(user)
        return lambda mailbox: [None] * len(mailbox.messages)


def test_a_source_is_asked_before_anything_is_locked(old: Old) -> None:
    old.mbox.write_bytes(old_mbox([1]))
    source = Asked([])
    assert old.ann(ids=source).messages == 1
    assert source.asked == [UserName("ann")]


# -- what becomes of the old mbox -------------------------------------------------------------------------------------


def test_a_link_to_the_new_mbox_may_take_the_place(to_mbox: Old) -> None:
    to_mbox.site.location("ann").path.unlink()
    to_mbox.mbox.write_bytes(old_mbox([1]))
    assert to_mbox.ann(emptied=Emptied.LINK).outcome is Outcome.DONE
    assert to_mbox.mbox.readlink() == to_mbox.site.location("ann").path
    # What comes through the link is in the new mbox already; what comes to the old file is carried.
    with to_mbox.mbox.open("ab") as file:
        file.write(old_message(2))
    with to_mbox.aside.open("ab") as file:
        file.write(old_message(3))
    assert to_mbox.ann(dry_run=True).messages == 1
    assert to_mbox.ann(emptied=Emptied.LINK).messages == 1
    assert to_mbox.octets() == shown([1, 2, 3])


def test_a_drop_beside_a_link_is_imported(to_mbox: Old) -> None:
    to_mbox.mbox.symlink_to(to_mbox.site.location("ann").path)
    to_mbox.drop.write_bytes(old_mbox([1]))
    assert to_mbox.ann().messages == 1
    assert to_mbox.octets() == shown([1])


@pytest.mark.parametrize("linked", [False, True])
def test_what_a_crash_left_of_a_message_in_a_drop_is_told_by_every_run(to_mbox: Old, linked: bool) -> None:
    if linked:
        to_mbox.mbox.symlink_to(to_mbox.site.location("ann").path)
    to_mbox.drop.write_bytes(old_mbox([1]) + b"From sen")
    for messages in (1, 0):
        ann = to_mbox.ann()
        assert (ann.outcome, ann.messages) == (Outcome.TROUBLE, messages)
        assert ann.detail is not None
        assert ann.detail.startswith(f"{to_mbox.drop}: ")
        assert "last 8 octets" in ann.detail
        assert to_mbox.drop.read_bytes() == b"From sen"
    to_mbox.drop.unlink()
    assert to_mbox.run().of(Outcome.TROUBLE) == ()
    assert to_mbox.octets() == shown([1])


@pytest.mark.parametrize("place", ["mbox", "drop", "aside"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_that_is_no_mbox_is_named(old: Old, place: str, dry_run: bool) -> None:
    path: Path = getattr(old, place)
    path.write_bytes(b"Dear Ann\n")
    ann = old.ann(dry_run=dry_run)
    assert (ann.outcome, ann.detail) == (
        Outcome.TROUBLE,
        f"{path}: not an mbox: it does not begin with a From_ line",
    )


def test_what_is_aside_goes_after_a_while(to_mbox: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    to_mbox.mbox.write_bytes(old_mbox([1]))
    to_mbox.run(emptied=Emptied.REMOVE)
    assert to_mbox.aside.exists()
    monkeypatch.setattr("spool.importing.retiring.ASIDE_SECONDS", -ASIDE_SECONDS)
    to_mbox.run(emptied=Emptied.REMOVE)
    assert list(to_mbox.options.old_spool.iterdir()) == []


def test_removing_waits_while_mail_comes(to_mbox: Old) -> None:
    to_mbox.mbox.write_bytes(old_mbox([1]))
    to_mbox.run(emptied=Emptied.REMOVE)
    to_mbox.mbox.write_bytes(old_mbox([2]))
    to_mbox.run(emptied=Emptied.REMOVE)  # the former one is still aside
    assert to_mbox.mbox.read_bytes() == b""
    assert to_mbox.octets() == shown([1, 2])


def test_two_names_that_a_crash_left_are_no_trouble(to_mbox: Old) -> None:
    to_mbox.mbox.write_bytes(old_mbox([1]))
    os.link(to_mbox.mbox, to_mbox.aside)
    assert to_mbox.ann().messages == 1


def test_a_link_to_a_maildir_is_refused(tmp_path: Path) -> None:
    old = old_spool_in(tmp_path, MailboxKind.MAILDIR)
    old.mbox.write_bytes(old_mbox([1]))
    ann = old.ann(emptied=Emptied.LINK)
    assert (ann.outcome, ann.messages) == (Outcome.TROUBLE, 1)
    assert old.octets() == shown([1])
