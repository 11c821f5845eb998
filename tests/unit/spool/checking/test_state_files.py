"""Tests of ``spool.checking.state_files``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spool import durable
from spool.checking import state_files
from spool.checking.places import names_in
from spool.errors import SpoolError
from spool.unique_ids import FILE_OCTETS_MAX
from tests.unit.spool.checking.denying import deny
from tests.unit.spool.checking.made_site import MadeSite, age


def test_a_directory_that_cannot_be_listed_is_told(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, ".mailspool")
    assert set(made.kinds()) == {"not-looked-at"}


def test_a_directory_without_rights_is_told_once(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    (made.home("ann") / ".mailspool").chmod(0o300)
    deny(monkeypatch, ".mailspool")
    assert made.kinds(users=tuple(name for name, _ in made.roster.users() if name.text == "ann")) == ["mode-too-narrow"]


def test_files_of_others_in_our_directory_are_their_matter(made: MadeSite) -> None:
    state = made.home("ann") / ".mailspool"
    (state / "notes").symlink_to("x")
    (state / "removed-check-1").mkdir()
    assert made.kinds() == []


def test_what_goes_meanwhile_is_no_finding(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = names_in
    monkeypatch.setattr(state_files, "names_in", lambda descriptor: [*listed(descriptor), "gone"])
    made.state_file("ann", ".uids").touch()
    made.give_homes()
    deny(monkeypatch, made.state_file("ann", ".uids").name, error=errno.ENOENT)
    assert made.kinds() == []


def test_a_file_of_unique_ids_that_is_too_long_is_foreign(made: MadeSite) -> None:
    uids = made.state_file("ann", ".uids")
    uids.touch(0o600)
    os.truncate(uids, FILE_OCTETS_MAX + 1)
    made.give_homes()
    (told,), summary = made.check(repair=True)
    assert told.finding.detail == f"it is longer than {FILE_OCTETS_MAX} octets"
    assert summary.needs_person


def test_the_line_that_we_did_not_write_is_named(made: MadeSite) -> None:
    uids = made.state_file("ann", ".uids")
    uids.write_bytes(b"mailspool-unique-ids 1\n+a b\nhello\n+c")
    made.give_homes()
    (told,), _ = made.check()
    assert told.finding.detail == "line 3: not a line of a file of unique-ids"


@pytest.mark.parametrize(
    "content",
    [b"", b"a 1 2 3 .\n", b"\na 12 .\n\nb 13 .\n", b"a 12 .\nb 1", b"\n" * 5000],
    ids=["empty", "sizes and times", "sizes", "torn", "long"],
)
def test_an_index_as_it_is_written_is_sound(made: MadeSite, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_files, "_PIECE_OCTETS", 7)
    made.state_file("ann", ".sizes").write_bytes(content)
    made.state_file("ann", ".sizes").chmod(0o600)
    made.give_homes()
    assert made.kinds() == []


def test_an_index_without_line_ends_is_damaged(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_files, "_PIECE_OCTETS", 7)
    made.state_file("ann", ".sizes").write_bytes(b"x" * 20)
    made.give_homes()
    assert "index-damaged" in made.kinds()


class Stop(BaseException):
    """Power is cut."""


def interrupted(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A removal from bob's mbox that stopped when its journal was whole."""
    made.deliver("bob", 7)
    maildrop = made.mailbox("bob").open_maildrop()

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_at", stop)
        with pytest.raises(Stop):
            maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    made.give_homes()
    return made.state_file("bob", ".mbox-journal")


def test_a_journal_that_the_next_session_completes_is_a_note(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = interrupted(made, monkeypatch)
    assert made.kinds() == []
    age(journal)
    (told,), summary = made.check(repair=True)
    assert (told.finding.kind.name, summary.needs_person) == ("journal-open", False)
    made.mailbox("bob").open_maildrop().close()
    assert made.kinds() == []


def test_a_journal_whose_mbox_was_rewritten_needs_a_person(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = interrupted(made, monkeypatch)
    age(journal)
    mbox = made.home("bob") / "Mailbox"
    mbox.write_bytes(b"From x Thu Jan  1 00:00:00 1970\n\nother\n\n")
    (told,), summary = made.check(repair=True)
    assert (told.finding.kind.name, summary.needs_person) == ("journal-foreign", True)
    with pytest.raises(SpoolError, match="a person must compare"):
        made.mailbox("bob").open_maildrop()


def test_a_journal_without_its_mbox_needs_a_person(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    age(interrupted(made, monkeypatch))
    (made.home("bob") / "Mailbox").unlink()
    (told,), _ = made.check()
    assert told.finding.kind.name == "journal-foreign"
    assert told.finding.detail.endswith("Mailbox: No such file or directory")
