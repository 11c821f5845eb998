"""Tests of ``spool.converting.record``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.converting.record import Conversion, load_conversions, record_path, save_conversions
from spool.errors import MailboxUnavailableError
from spool.names import UserName

CONVERSIONS = (
    Conversion("Maildir-1", "Mailbox-2", "Maildir.before-convert", 1.5, bases=("a", "b\udcff"), complete=True),
    Conversion("Mailbox-2", "Maildir-1", "Mailbox.before-convert", 2.5, end=7),
)


def test_what_is_saved_is_loaded_until_there_is_nothing(tmp_path: Path) -> None:
    path = record_path(tmp_path, UserName("ann"))
    assert load_conversions(path) == ()
    save_conversions(path, ())
    save_conversions(path, CONVERSIONS)
    save_conversions(path, CONVERSIONS)
    assert load_conversions(path) == CONVERSIONS
    save_conversions(path, ())
    assert load_conversions(path) == ()
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"conversions-1": [{"bases": []}]}', '{"conversions-1": [{}]}'])
def test_a_foreign_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record"
    path.write_text(text)
    with pytest.raises(MailboxUnavailableError, match="not a record of ours"):
        load_conversions(path)
