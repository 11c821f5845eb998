"""Tests of ``spool.checking.undo_record``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.checking.changes import Identity, MakeDirectory, PutLink, SetMode, SetOwner
from spool.checking.places import Place
from spool.checking.undo_record import Compiled, Entry, Moved, Removed, UndoRecord, UndoRecordError, read_record

PLACE = Place(Path("/mail"), ("ann", "caf\udce9"), 20001)
ENTRIES: tuple[Entry, ...] = (
    SetOwner(PLACE, Identity(1, 2), (0, 0), (20001, 20002)),
    SetMode(PLACE, Identity(1, 2), 0o755, 0o700),
    MakeDirectory(PLACE, (20001, 20002)),
    PutLink(PLACE, "there", None),
    PutLink(PLACE, "there", "here"),
    Moved(PLACE, Identity(1, 2), Place(Path("/site/maintenance"), ("x", "1"))),
    Removed(PLACE, (1, 2), 0o644, 10**18, "there", None),
    Removed(PLACE, (1, 2), 0o644, 10**18, None, b"\0\xff"),
    Compiled(Path("/site/assign"), Path("/site/assign.cdb"), None, "0f"),
    Compiled(Path("/site/assign"), Path("/site/assign.cdb"), Path("/site/old"), "0f"),
)


@pytest.fixture
def record(tmp_path: Path) -> UndoRecord:
    return UndoRecord(tmp_path, clock=lambda: 10**9)


def test_entries_are_read_back_as_they_were_added(record: UndoRecord) -> None:
    for entry in ENTRIES:
        record.add(entry)
    record.close()
    record.close()
    assert read_record(record.path) == ENTRIES


def test_a_record_is_named_by_its_time_and_made_by_its_first_entry(record: UndoRecord, tmp_path: Path) -> None:
    assert record.name.startswith("check-20010909T014640Z-")
    assert not record.begun
    assert list(tmp_path.iterdir()) == []
    record.add(ENTRIES[0])
    assert record.begun
    assert [path.name for path in tmp_path.iterdir()] == [f"{record.name}.undo"]
    record.close()


def test_a_torn_last_line_was_never_acted_on(record: UndoRecord) -> None:
    record.add(ENTRIES[0])
    record.add(ENTRIES[1])
    record.close()
    record.path.write_bytes(record.path.read_bytes()[:-1])
    assert read_record(record.path) == ENTRIES[:1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\n",
        b'{"a": 1}\n',
        b'{"mailspool": "check-undo 1"}\nhello\n',
        b'{"mailspool": "check-undo 1"}\n{"change": "Unknown"}\n',
        b'{"mailspool": "check-undo 1"}\n{"change": "SetMode"}\n',
    ],
)
def test_what_is_no_record_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UndoRecordError, match="undo record"):
        read_record(tmp_path / "x")


def test_a_missing_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndoRecordError, match="No such file"):
        read_record(tmp_path / "x")
