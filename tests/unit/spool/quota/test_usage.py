from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.errors import MailboxUnavailableError, SpoolError
from spool.mailbox import Envelope, MailboxKind, MailboxLocation
from spool.mbox.mailbox import MboxMailbox
from spool.quota import usage
from spool.quota.limits import Limit
from spool.quota.maildir_size import Counted
from spool.quota.usage import STALE_SECONDS, MaildirUsage, MboxUsage, Usage
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in

LIMIT = Limit(1000, 10)
NOW = 1_000_000.0
ENVELOPE = Envelope("sender@example.org")


# -- Maildir ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def maildir(tmp_path: Path) -> MailboxLocation:
    location = location_in(tmp_path / "home", MailboxKind.MAILDIR)
    (location.path / "new" / "1.a,S=300").touch()
    (location.path / "cur" / "2.a,S=40:2,S").touch()
    return location


def figure_of(location: MailboxLocation) -> Path:
    return location.path / "maildirsize"


def kept(location: MailboxLocation, text: bytes, *, age_seconds: float = 0) -> None:
    figure_of(location).write_bytes(text)
    os.utime(figure_of(location), (NOW - age_seconds, NOW - age_seconds))


def keeper(location: MailboxLocation, limit: Limit = LIMIT) -> MaildirUsage:
    return MaildirUsage(location, limit, clock=lambda: NOW)


def test_a_maildir_without_a_figure_is_counted_and_the_figure_kept(maildir: MailboxLocation) -> None:
    assert keeper(maildir).look() == Usage(340, 2, certain=True)
    assert figure_of(maildir).read_bytes() == b"1000S,10C\n340 2\n"


def test_a_figure_that_is_kept_is_believed(maildir: MailboxLocation) -> None:
    kept(maildir, b"1000S,10C\n7 1\n")
    assert keeper(maildir).look() == Usage(7, 1, certain=True)


@pytest.mark.parametrize(
    ("text", "age_seconds"),
    [(b"1000S,10C\n7 1\n5 1\n", 0), (b"1000S,10C\n12 2\n", STALE_SECONDS + 1)],
    ids=["more than one line", "old"],
)
def test_a_figure_of_many_lines_or_an_old_one_is_not_certain(
    maildir: MailboxLocation, text: bytes, age_seconds: float
) -> None:
    kept(maildir, text, age_seconds=age_seconds)
    assert keeper(maildir).look() == Usage(12, 2, certain=False)


@pytest.mark.parametrize("text", [b"2000S,10C\n7 1\n", b"1000S\n7 1\n", b"torn", b"1000S,10C\n" + b"1 1\n" * 1300])
def test_a_figure_for_another_limit_or_a_long_or_torn_one_is_made_anew(maildir: MailboxLocation, text: bytes) -> None:
    kept(maildir, text)
    assert keeper(maildir).look() == Usage(340, 2, certain=True)
    assert figure_of(maildir).read_bytes() == b"1000S,10C\n340 2\n"


def test_the_figure_of_a_maildir_that_does_not_rest_is_not_kept(
    maildir: MailboxLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(maildir, b"torn")
    monkeypatch.setattr(usage, "count_maildir", lambda path: Counted(5, 1, steady=False))
    assert keeper(maildir).look() == Usage(5, 1, certain=True)
    assert not figure_of(maildir).exists()


def test_what_comes_and_goes_is_added_to_the_figure(maildir: MailboxLocation) -> None:
    keeper(maildir).count()
    keeper(maildir).add(60, 1)
    keeper(maildir).add(-300, -1)
    assert keeper(maildir).look() == Usage(100, 2, certain=False)


def test_a_forgotten_figure_is_counted_again(maildir: MailboxLocation) -> None:
    kept(maildir, b"1000S,10C\n7 1\n")
    keeper(maildir).forget()
    assert keeper(maildir).look() == Usage(340, 2, certain=True)


def test_a_figure_that_cannot_be_kept_is_no_trouble(maildir: MailboxLocation) -> None:
    figure_of(maildir).mkdir()
    assert keeper(maildir).count() == Usage(340, 2, certain=True)
    keeper(maildir).add(1, 1)
    keeper(maildir).forget()


def test_a_figure_that_cannot_be_read_or_counted_is(maildir: MailboxLocation) -> None:
    figure_of(maildir).symlink_to("elsewhere")
    with pytest.raises(MailboxUnavailableError):
        keeper(maildir).look()
    figure_of(maildir).unlink()
    (maildir.path / "new").rename(maildir.home / "new")
    maildir.path.rename(maildir.home / "away")
    with pytest.raises(MailboxUnavailableError):
        keeper(maildir).look()


# -- mbox -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mbox(tmp_path: Path) -> MboxMailbox:
    return MboxMailbox(location_in(tmp_path / "home", MailboxKind.MBOX), SpoolSettings(tmp_path, mbox_lock_seconds=0.2))


def deliver(mbox: MboxMailbox, *messages: bytes) -> None:
    for message in messages:
        mbox.deliver([message], ENVELOPE)


def size_of(mbox: MboxMailbox) -> int:
    return mbox.location.path.stat().st_size


def ledger_of(mbox: MboxMailbox) -> Path:
    return mbox.location.state / f"{mbox.location.state_name}.quota"


def test_the_octets_of_an_mbox_are_the_size_of_its_file(mbox: MboxMailbox) -> None:
    assert MboxUsage(mbox, Limit(1000, None)).look() == Usage(0, 0, certain=True)
    deliver(mbox, b"a: b\n\nc\n")
    assert MboxUsage(mbox, Limit(1000, None)).look() == Usage(size_of(mbox), 0, certain=True)
    assert MboxUsage(mbox, Limit(1000, None)).count() == Usage(size_of(mbox), 0, certain=True)
    assert not ledger_of(mbox).exists()


def test_messages_of_an_mbox_are_counted_when_their_number_is_limited(mbox: MboxMailbox) -> None:
    assert MboxUsage(mbox, LIMIT).look() == Usage(0, 0, certain=True)
    deliver(mbox, b"a: b\n\nc\n", b"a: b\n\nc\n")
    assert MboxUsage(mbox, LIMIT).look() == Usage(size_of(mbox), 2, certain=True)
    assert ledger_of(mbox).read_bytes() == b"1000S,10C\n%d 2\n" % size_of(mbox)


def test_the_number_of_messages_is_kept_while_it_fits_the_file(
    mbox: MboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(mbox, b"a: b\n\nc\n")
    keeper = MboxUsage(mbox, LIMIT)
    keeper.look()
    stored = mbox.deliver([b"a: b\n\nd\n"], ENVELOPE).stored_octets
    keeper.add(stored, 1)
    monkeypatch.setattr(keeper, "_scan", lambda: pytest.fail("counted"))
    assert keeper.look() == Usage(size_of(mbox), 2, certain=True)


def test_an_mbox_that_another_program_changed_is_counted_again(mbox: MboxMailbox) -> None:
    keeper = MboxUsage(mbox, LIMIT)
    keeper.look()
    deliver(mbox, b"a: b\n\nc\n", b"a: b\n\nc\n")
    assert keeper.look().messages == 2
    keeper.forget()
    assert keeper.look().messages == 2


def test_the_message_with_a_mailbox_s_own_data_does_not_count(mbox: MboxMailbox) -> None:
    mbox.location.path.write_bytes(
        b"From MAILER-DAEMON Tue Nov 24 12:00:00 2026\n"
        b"X-IMAP: 1 2\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n\n\n"
    )
    deliver(mbox, b"a: b\n\nc\n")
    assert MboxUsage(mbox, LIMIT).look() == Usage(size_of(mbox), 1, certain=True)


def test_an_mbox_that_cannot_be_looked_at_is_not_available(mbox: MboxMailbox) -> None:
    mbox.location.path.mkdir()
    with pytest.raises(SpoolError):
        MboxUsage(mbox, LIMIT).count()
    mbox.location.path.rmdir()
    mbox.location.path.symlink_to(mbox.location.path)
    with pytest.raises(SpoolError):
        MboxUsage(mbox, LIMIT).count()


def test_a_number_that_cannot_be_kept_is_no_trouble(mbox: MboxMailbox) -> None:
    deliver(mbox, b"a: b\n\nc\n")
    ledger_of(mbox).mkdir()
    keeper = MboxUsage(mbox, LIMIT)
    assert keeper.count().messages == 1
    keeper.add(1, 1)
