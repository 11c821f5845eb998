"""Tests of ``spool.carrying.journal``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.carrying.journal import Carrying, load_carrying, remove_carrying, save_carrying
from spool.carrying.stage import Staged
from spool.errors import MailboxUnavailableError

CARRYING = Carrying([Staged("name\udcff", "key", None), Staged(None, "key", "id")], ["identity", "identity"])


def test_what_is_saved_is_loaded_until_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert load_carrying(path) is None
    save_carrying(path, CARRYING)
    assert load_carrying(path) == CARRYING
    remove_carrying(path)
    remove_carrying(path)
    assert load_carrying(path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"staged-1": [1], "taken": []}', '{"staged-1": [["a"]]}', "\xff"])
def test_a_foreign_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal"
    path.write_text(text, "latin-1")
    with pytest.raises(MailboxUnavailableError, match="not a journal of ours"):
        load_carrying(path)


def test_a_journal_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnavailableError):
        load_carrying(tmp_path)
