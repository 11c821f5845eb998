import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool import durable
from spool.errors import MailboxChangedError, MailboxUnavailableError
from spool.mbox.journal import finish_removal, is_completable, journal_path, keep_only
from spool.mbox.locks import HeldMbox
from tests.unit.spool.mbox.mbox_files import location_of, opened

BEFORE = b"keep0 gone0 keep1 gone1 keep2 "
KEPT = [(12, 18), (24, 30)]
AFTER = b"keep0 keep1 keep2 "


class Stop(BaseException):
    """Power is cut."""


class StoppingOs:
    """``os``, but stops before the nth call that changes the disk, and at every one after it."""

    CHANGES = frozenset({"write", "pwrite", "ftruncate", "fsync", "rename", "unlink"})

    def __init__(self, calls: int) -> None:
        self.calls_left = calls

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        return self._counted(function) if name in self.CHANGES else function

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if not self.calls_left:
                raise Stop
            self.calls_left -= 1
            # Nobody cuts the power here, and hundreds of real syncs take seconds.
            return None if function is os.fsync else function(*arguments, **keywords)

        return call


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "Mailbox"
    path.write_bytes(BEFORE)
    return path


@pytest.fixture
def journal(mbox: Path) -> Path:
    path = journal_path(location_of(mbox.parent))
    path.parent.mkdir()
    return path


def remove(mbox: Path, journal: Path) -> None:
    with opened(mbox) as held:
        keep_only(held, journal, KEPT, first=6)


def completable(mbox: Path, journal: Path) -> bool:
    with opened(mbox) as held, journal.open("rb") as file:
        return is_completable(held, file.fileno())


def finish(mbox: Path, journal: Path) -> None:
    with opened(mbox) as held:
        finish_removal(held, journal)


@pytest.fixture(autouse=True)
def no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", StoppingOs(1_000_000))


def stopped_removal(mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> bool:
    """Remove, but stop before the change after ``calls`` ones; false if it took no more than these."""
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", StoppingOs(calls))
        try:
            remove(mbox, journal)
        except Stop:
            return True
    return False


def test_what_is_kept_closes_up_and_the_rest_is_gone(mbox: Path, journal: Path) -> None:
    inode = mbox.stat().st_ino
    remove(mbox, journal)
    assert mbox.read_bytes() == AFTER
    assert mbox.stat().st_ino == inode
    assert list(journal.parent.iterdir()) == []


def test_where_nothing_is_kept_the_file_is_cut_off_without_a_journal(mbox: Path, tmp_path: Path) -> None:
    with opened(mbox) as held:
        keep_only(held, tmp_path / "nowhere" / "journal", [], first=6)
    assert mbox.read_bytes() == b"keep0 "


def test_without_a_journal_nothing_is_to_be_finished(mbox: Path, journal: Path) -> None:
    finish(mbox, journal)
    assert mbox.read_bytes() == BEFORE


def test_a_stop_at_any_change_leaves_all_or_what_can_be_finished(
    mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    while stopped_removal(mbox, journal, monkeypatch, calls):
        assert not journal.exists() or completable(mbox, journal)
        finish(mbox, journal)
        assert mbox.read_bytes() in (BEFORE, AFTER)
        assert not journal.exists()
        mbox.write_bytes(BEFORE)
        calls += 1
    assert calls >= 8
    assert mbox.read_bytes() == AFTER


def test_a_stop_while_finishing_can_be_finished_too(mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for first in range(14):
        for second in range(14):
            mbox.write_bytes(BEFORE)
            journal.unlink(missing_ok=True)
            stopped_removal(mbox, journal, monkeypatch, first)
            with monkeypatch.context() as patch:
                patch.setattr(durable, "os", StoppingOs(second))
                with contextlib.suppress(Stop):
                    finish(mbox, journal)
            finish(mbox, journal)
            assert mbox.read_bytes() in (BEFORE, AFTER)


def test_mail_that_others_append_after_a_stop_is_kept(
    mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arrived in (b"new", b"more than what was removed"):
        for first in range(14):
            for second in range(24):
                mbox.write_bytes(BEFORE)
                journal.unlink(missing_ok=True)
                stopped_removal(mbox, journal, monkeypatch, first)
                with mbox.open("ab") as file:
                    file.write(arrived)
                with monkeypatch.context() as patch:
                    patch.setattr(durable, "os", StoppingOs(second))
                    with contextlib.suppress(Stop):
                        finish(mbox, journal)
                finish(mbox, journal)
                assert mbox.read_bytes() in (BEFORE + arrived, AFTER + arrived)


@given(st.binary(min_size=1, max_size=80), st.data())
def test_any_ranges_can_be_kept(tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject) -> None:
    home = tmp_path_factory.mktemp("home")
    path = home / "Mailbox"
    path.write_bytes(content)
    places = sorted(data.draw(st.sets(st.integers(0, len(content)), min_size=2, max_size=9)))
    first, kept = places[0], list(zip(places[1::2], places[2::2], strict=False))
    with opened(path) as held:
        keep_only(held, home / "journal", kept, first=first)
    assert path.read_bytes() == content[:first] + b"".join(content[start:stop] for start, stop in kept)


def interrupted(mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop when the journal is whole and nothing is copied: after its write, two syncs and the rename."""
    changes = 0
    while not journal.exists():
        mbox.write_bytes(BEFORE)
        stopped_removal(mbox, journal, monkeypatch, changes)
        changes += 1
    assert mbox.read_bytes() == BEFORE


def test_an_mbox_rewritten_after_a_crash_is_left_to_a_person(
    mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(mbox, journal, monkeypatch)
    before = journal.read_bytes()
    for rewritten in (b"keep0 something quite different, and longer", b"short", b""):
        mbox.write_bytes(rewritten)
        assert not completable(mbox, journal)
        with pytest.raises(MailboxUnavailableError, match="a person must compare"):
            finish(mbox, journal)
        assert (mbox.read_bytes(), journal.read_bytes()) == (rewritten, before)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"something else",
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content.replace(b"0030 ", b"0018 "),
    ],
)
def test_a_journal_that_is_not_ours_is_left_to_a_person(
    mbox: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    interrupted(mbox, journal, monkeypatch)
    journal.write_bytes(damage(journal.read_bytes()))
    assert not completable(mbox, journal)
    with pytest.raises(MailboxUnavailableError):
        finish(mbox, journal)
    assert mbox.read_bytes() == BEFORE


def test_a_link_planted_as_the_journal_is_not_followed(mbox: Path, journal: Path) -> None:
    journal.symlink_to(mbox)
    with pytest.raises(OSError, match="symbolic links"):
        finish(mbox, journal)


def test_a_file_that_shrinks_in_spite_of_the_locks_makes_no_journal(mbox: Path, journal: Path) -> None:
    with opened(mbox) as held:
        rude = HeldMbox(held.descriptor, None, lambda: 0.0)
        with pytest.raises(MailboxChangedError):
            keep_only(rude, journal, [(24, 36)], first=0)
    assert mbox.read_bytes() == BEFORE
    assert list(journal.parent.iterdir()) == []
