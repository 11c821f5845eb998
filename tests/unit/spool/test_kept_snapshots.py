from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.kept_snapshots import KEEPS_NOTHING, KeptSnapshots
from spool.mailbox import MailboxKind, MailboxLocation
from spool.names import UserName


@dataclass(frozen=True)
class View:
    text: str


@dataclass(frozen=True)
class OtherView:
    text: str


def location(name: str) -> MailboxLocation:
    home = Path("/home") / name
    return MailboxLocation(
        UserName(name), 1000, 1000, home, home / "Maildir", MailboxKind.MAILDIR, home / ".mailspool", "maildir"
    )


A, B, C = map(location, "abc")


@pytest.fixture
def kept() -> KeptSnapshots:
    return KeptSnapshots(100)


def test_what_was_kept_is_found_as_often_as_wanted(kept: KeptSnapshots) -> None:
    kept.keep(A, View("a"), 10)
    assert [kept.find(location("a"), View) for _ in range(2)] == [View("a")] * 2
    assert kept.find(B, View) is None


def test_a_snapshot_of_another_class_is_not_found(kept: KeptSnapshots) -> None:
    kept.keep(A, View("a"), 10)
    assert kept.find(A, OtherView) is None


def test_a_mailbox_has_one_snapshot(kept: KeptSnapshots) -> None:
    kept.keep(A, View("old"), 90)
    kept.keep(A, View("new"), 20)
    assert kept.find(A, View) == View("new")
    assert kept.octets == 20


def test_the_longest_unused_go_when_there_is_no_room(kept: KeptSnapshots) -> None:
    for each in (A, B):
        kept.keep(each, View(each.user.text), 50)
    kept.find(A, View)
    kept.keep(C, View("c"), 50)
    assert [kept.find(each, View) for each in (A, B, C)] == [View("a"), None, View("c")]


def test_a_snapshot_larger_than_all_the_room_is_not_kept_and_drives_nobody_out(kept: KeptSnapshots) -> None:
    kept.keep(A, View("a"), 50)
    kept.keep(B, View("old"), 50)
    kept.keep(B, View("b"), 101)
    assert [kept.find(each, View) for each in (A, B)] == [View("a"), None]


def test_a_forgotten_mailbox_gives_its_room_back(kept: KeptSnapshots) -> None:
    kept.keep(A, View("a"), 50)
    for _ in range(2):
        kept.forget(A)
    assert kept.find(A, View) is None
    assert kept.octets == 0


def test_a_store_without_room_keeps_nothing() -> None:
    KEEPS_NOTHING.keep(A, View("a"), 1)
    assert KEEPS_NOTHING.find(A, View) is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 120))))
def test_the_octets_of_what_is_kept_never_exceed_the_bound(changes: list[tuple[str, int]]) -> None:
    kept = KeptSnapshots(100)
    latest: dict[str, int] = {}
    for name, octets in changes:
        kept.keep(location(name), View(f"{octets}"), octets)
        latest[name] = octets
        found = {name: view for name in latest if (view := kept.find(location(name), View))}
        assert all(view == View(f"{latest[name]}") for name, view in found.items())
        assert kept.octets == sum(latest[name] for name in found) <= 100


def test_threads_may_use_it_at_once(kept: KeptSnapshots) -> None:
    def work() -> None:
        for count in range(300):
            kept.keep(location("abcd"[count % 4]), View("x"), 30)
            kept.find(A, View)
            kept.forget(B)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.octets == 30 * sum(kept.find(location(name), View) is not None for name in "abcd")
