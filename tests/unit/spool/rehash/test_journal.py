"""Tests of ``spool.rehash.journal``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError
from spool.names import UserName
from spool.rehash.journal import NAME, Journal, KeptHome, Link
from spool.rehash.moves import Move

ANN, BOB = UserName("ann"), UserName("bob")


def move(user: UserName, old: str = "/m/l", new: str = "/m/u") -> Move:
    return Move(user, 1, 2, Path(old) / user.text, Path(new) / user.text)


def read(directory: Path) -> Journal:
    journal = Journal.load(directory)
    assert journal is not None
    return journal


def known(journal: Journal) -> tuple[object, ...]:
    return (
        *(journal.to, journal.layout_before, journal.batches, journal.open),
        *(journal.moved, journal.links, journal.kept, journal.settled),
    )


def test_where_nothing_was_moved_there_is_none(tmp_path: Path) -> None:
    assert Journal.load(tmp_path) is None


def test_what_happened_is_read_again(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    steps: list[Callable[[], object]] = [
        lambda: journal.change_layout("letter"),
        lambda: journal.begin_batch([move(ANN), move(BOB)]),
        lambda: journal.end_batch({ANN: (1, 10), BOB: (1, 11)}, {BOB}, 5.0),
        lambda: journal.remove_links([Path("/m/l/ann")]),
        lambda: journal.forget_kept(BOB),
    ]
    for step in steps:
        step()
        assert known(read(tmp_path)) == known(journal)
    assert list(journal.links) == [Path("/m/l/bob")]
    assert not journal.settled


def test_a_published_batch_leaves_links_and_copied_homes(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    journal.begin_batch([move(ANN), move(BOB)])
    journal.end_batch({ANN: (1, 10)}, {ANN}, 5.0)
    assert journal.moved == {ANN: (move(ANN), (1, 10))}
    assert journal.links == {Path("/m/l/ann"): Link(Path("/m/u/ann"), 5.0)}
    assert journal.kept == {ANN: KeptHome(move(ANN), 5.0)}


def test_who_is_moved_back_was_not_moved(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    for each in (move(ANN), move(ANN).back):
        journal.begin_batch([each])
        journal.end_batch({ANN: (1, 10)}, (), 5.0)
    assert journal.moved == {}
    assert journal.links == {Path("/m/u/ann"): Link(Path("/m/l/ann"), 5.0)}


def test_who_is_moved_twice_was_moved_from_the_first_place_to_the_last(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    for each in (move(ANN), move(ANN, "/m/u", "/m/x")):
        journal.begin_batch([each])
        journal.end_batch({ANN: (1, 10)}, (), 5.0)
    assert journal.moved == {ANN: (move(ANN, "/m/l", "/m/x"), (1, 10))}


@pytest.mark.parametrize("torn", [b"0123", b"0123456789abcdef {}\n", b"\0\0\0\0\n", b"\0" * 30])
def test_a_torn_last_line_counts_for_nothing_and_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    Journal.begin(tmp_path, "hex2").change_layout("letter")
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + torn)
    journal = read(tmp_path)
    assert journal.layout_before == "letter"
    journal.change_layout(None)
    assert (tmp_path / NAME).read_bytes().startswith(whole)
    assert read(tmp_path).layout_before is None


def test_a_wrong_line_before_the_last_is_an_error(tmp_path: Path) -> None:
    Journal.begin(tmp_path, "hex2").change_layout("letter")
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"x" + b"".join(lines))
    with pytest.raises(MailboxUnavailableError, match="line 1 is none of ours"):
        Journal.load(tmp_path)


def test_a_line_that_means_nothing_is_an_error(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    journal._write({"other": 1})
    with pytest.raises(MailboxUnavailableError, match="line 2 is none of ours: ValueError"):
        Journal.load(tmp_path)


def test_nothing_is_written_about_no_links(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, "hex2")
    before = (tmp_path / NAME).read_bytes()
    journal.remove_links(())
    assert (tmp_path / NAME).read_bytes() == before
