"""Tests of ``delivery.places``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.destinations import MaildirFile, MboxFile, OwnMaildrop
from delivery.errors import InstructionsError
from delivery.places import Places
from spool.errors import MailboxUnavailableError, SpoolError
from spool.mailbox import Envelope
from tests.unit.delivery.homes import TestHome

MESSAGE = b"Subject: x\n\nbody\n"


@contextlib.contextmanager
def places(home: TestHome, *, follow_links: bool = False) -> Iterator[Places]:
    made = Places(home.recipient(), home.descriptor, home.settings, follow_links=follow_links)
    with contextlib.closing(made):
        yield made


def deliver(home: TestHome, place: OwnMaildrop | MaildirFile | MboxFile, *, follow_links: bool = False) -> None:
    with places(home, follow_links=follow_links) as made:
        made.open(place).deliver([MESSAGE], Envelope("s@x", "joe@a.org"))


@pytest.mark.parametrize("place", [OwnMaildrop(), MaildirFile("./Maildir"), MaildirFile("./x/../Maildir")])
def test_the_users_own_maildrop_is_found_by_any_path(home: TestHome, place: OwnMaildrop | MaildirFile) -> None:
    with places(home) as made:
        assert made.open(place).location.path == home.path / "Maildir"
    deliver(home, place)
    assert home.mail() == [MESSAGE]


def test_an_mbox_in_the_home_is_made_when_it_is_missing(home: TestHome) -> None:
    (home.path / "lists").mkdir()
    for path in ("./lists/cooking", f"{home.path}/lists/cooking"):
        deliver(home, MboxFile(path))
    text = (home.path / "lists" / "cooking").read_bytes()
    assert text.count(MESSAGE) == text.count(b"From s@x ") == 2


def test_an_mbox_in_a_directory_that_is_missing_waits(home: TestHome) -> None:
    with pytest.raises(MailboxUnavailableError, match=r"\./lists: No such file or directory"):
        deliver(home, MboxFile("./lists/cooking"))


def test_a_maildir_in_the_home_must_be_there(home: TestHome) -> None:
    with pytest.raises(SpoolError) as trouble:
        deliver(home, MaildirFile("./Other"))
    assert not trouble.value.status.permanent
    for part in ("tmp", "new", "cur"):
        (home.path / "Other" / part).mkdir(parents=True)
    deliver(home, MaildirFile("./Other"))
    assert len(list((home.path / "Other" / "new").iterdir())) == 1


@pytest.mark.parametrize("path", ["../ann/Mailbox", "{outside}/Mailbox", "./link/Mailbox"])
def test_no_path_leads_out_of_the_home_where_users_share_a_uid(home: TestHome, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "spool" / "j" / "ann"
    outside.mkdir()
    (home.path / "link").symlink_to(outside)
    place = MboxFile(path.format(outside=outside))
    with pytest.raises((InstructionsError, MailboxUnavailableError)):
        deliver(home, place)
    assert list(outside.iterdir()) == []
    deliver(home, place, follow_links=True)
    assert (outside / "Mailbox").exists()


@pytest.mark.parametrize("path", ["/lists/cooking", "{home}2/cooking", "{home}/../{name}2/cooking"])
def test_an_absolute_path_elsewhere_is_not_taken_for_one_in_the_home(home: TestHome, path: str) -> None:
    for directory in ("lists", "2", f"{home.path.name}2"):
        (home.path / directory).mkdir()
    with pytest.raises(InstructionsError, match="leads out of the home"):
        deliver(home, MboxFile(path.format(home=home.path, name=home.path.name)))
    assert list(home.path.rglob("cooking")) == []


def test_a_missing_maildir_is_named_as_the_user_wrote_it(home: TestHome) -> None:
    (home.path / "lists").mkdir()
    with pytest.raises(MailboxUnavailableError, match=r"no Maildir \./lists/Other: No such file or directory"):
        deliver(home, MaildirFile("./lists/Other"))


def test_no_mbox_is_a_link(home: TestHome, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("")
    (home.path / "Mailbox").symlink_to(tmp_path / "outside")
    with pytest.raises(SpoolError):
        deliver(home, MboxFile("./Mailbox"))
    assert (tmp_path / "outside").read_bytes() == b""
