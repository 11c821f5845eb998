"""Tests of ``spool.converting.user_conversion`` and ``spool.converting.former``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spool.assign_directory import AssignDirectory
from spool.carrying.journals import UserJournals
from spool.converting import user_conversion
from spool.converting.options import GRACE_SECONDS, Action, ConvertOptions, Outcome, UserConverted
from spool.converting.record import load_conversions, record_path, save_conversions
from spool.converting.user_conversion import ATTEMPTS_MAX, UserConversion
from spool.converting.writing import write_mailbox
from spool.mailbox import MailboxKind
from spool.names import UserName
from tests.small_site import TEMPLATES, SmallSite

ANN = UserName("ann")
LATE = b"Subject: late\n\n"
LATE_IN_MBOX = b"From late@example.org Thu Jan  1 00:00:00 2026\nSubject: late\n\n\n"
SHOWN_LATE = b"Subject: late\r\n\r\n"


class Ann:
    """A user whose mailbox is converted."""

    def __init__(self, directory: Path, kind: MailboxKind, templates: tuple[str, ...] = TEMPLATES) -> None:
        self.site = SmallSite(directory, templates).make().add("ann", kind)
        self.maintenance = directory / "maintenance"
        self.maintenance.mkdir()
        self.now = 1000.0

    @property
    def home(self) -> Path:
        return self.site.location("ann").home

    def run(self, action: Action, *, dry_run: bool = False) -> UserConverted:
        record = AssignDirectory(self.site.site.assign_compiled).user(ANN)
        options = ConvertOptions(action, dry_run=dry_run)
        conversion = UserConversion(
            ANN, record, self.site.settings, options, self.maintenance, uid_min=0, clock=lambda: self.now
        )
        return conversion.run()

    def kept(self) -> list[str]:
        """The names of former mailboxes."""
        return sorted(path.name for path in self.home.glob("*.before-convert*"))


@pytest.fixture
def maildir(tmp_path: Path) -> Ann:
    ann = Ann(tmp_path, MailboxKind.MAILDIR)
    ann.site.deliver("ann", b"Subject: one\n\n", b"Subject: two\n\n")
    return ann


@pytest.fixture
def mbox(tmp_path: Path) -> Ann:
    ann = Ann(tmp_path, MailboxKind.MBOX)
    ann.site.deliver("ann", b"Subject: one\n\n", b"Subject: two\n\n")
    return ann


# -- converting -------------------------------------------------------------------------------------------------------


def test_what_an_mbox_cannot_hold_is_told(maildir: Ann) -> None:
    maildir.site.deliver("ann", b"Status: R\nSubject: x\n\n")
    assert maildir.run(Action.TO_MBOX).altered == 1


def test_dates_and_marks_go_along(mbox: Ann) -> None:
    mbox.site.location("ann").path.write_bytes(
        b"From a@example.org Thu Jan  1 00:00:00 2015\nStatus: O\nX-Status: AF\nSubject: x\n\n\n"
    )
    mbox.run(Action.TO_MAILDIR)
    [path] = (mbox.home / "Maildir" / "cur").iterdir()
    assert path.name.endswith(":2,FR")
    assert path.stat().st_mtime == 1420070400
    mbox.run(Action.UNDO)
    assert (mbox.home / "Mailbox").read_bytes() == (
        b"From MAILER-DAEMON Thu Jan  1 00:00:00 2015\nStatus: O\nX-Status: AF\nSubject: x\n\n\n"
    )


def test_retired_ids_are_not_used_again_after_a_conversion(mbox: Ann) -> None:
    message = b"Subject: cron\n\n"
    mbox.site.deliver("ann", message)
    gone = mbox.site.messages("ann")[-1].unique_id
    mbox.site.session("ann", deleted={3})
    mbox.run(Action.TO_MAILDIR)
    mbox.run(Action.UNDO)
    mbox.site.deliver("ann", message)
    assert gone not in [found.unique_id for found in mbox.site.messages("ann")]


def test_an_mbox_that_was_never_made_is_converted(tmp_path: Path) -> None:
    ann = Ann(tmp_path, MailboxKind.MBOX)
    (ann.home / "Mailbox").unlink()
    assert ann.run(Action.TO_MAILDIR).outcome is Outcome.DONE
    assert ann.site.messages("ann") == []


def test_a_mailbox_that_another_program_changes_is_read_again(mbox: Ann, monkeypatch: pytest.MonkeyPatch) -> None:
    def remark(attempt: int) -> None:
        if attempt == 1:
            path = mbox.home / "Mailbox"
            path.write_bytes(path.read_bytes().replace(b"Subject: one", b"Status: RO\nSubject: one"))

    before = during_writing(monkeypatch, remark)
    assert mbox.run(Action.TO_MAILDIR).outcome is Outcome.DONE
    assert before == [1, 2]
    assert mbox.site.last_accessed("ann") == 1


def test_a_mailbox_that_is_changed_without_end_is_busy(maildir: Ann, monkeypatch: pytest.MonkeyPatch) -> None:
    def remark(attempt: int) -> None:
        [path, *_] = sorted((maildir.home / "Maildir").glob("*/*one*")) or sorted(
            (maildir.home / "Maildir").glob("???/1*")
        )
        path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{'S' * (attempt % 2)}F")

    before = during_writing(monkeypatch, remark)
    assert maildir.run(Action.TO_MBOX).outcome is Outcome.BUSY
    assert len(before) == ATTEMPTS_MAX
    assert maildir.site.location("ann").kind is MailboxKind.MAILDIR
    assert load_conversions(record_path(maildir.maintenance, ANN)) == ()


def test_an_mbox_that_was_replaced_is_read_again(mbox: Ann, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(attempt: int) -> None:
        if attempt == 1:
            path = mbox.home / "Mailbox"
            path.rename(path.with_name("old"))
            path.write_bytes(LATE_IN_MBOX)

    during_writing(monkeypatch, replaced)
    assert mbox.run(Action.TO_MAILDIR).outcome is Outcome.DONE
    assert mbox.site.octets("ann") == [SHOWN_LATE]


@pytest.mark.parametrize("kind", MailboxKind)
def test_mail_that_comes_while_it_is_written_is_taken_over(
    tmp_path: Path, kind: MailboxKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = Ann(tmp_path, kind)
    during_writing(monkeypatch, lambda _attempt: [ann.site.deliver("ann", LATE)])
    done = ann.run(Action.TO_MBOX if kind is MailboxKind.MAILDIR else Action.TO_MAILDIR)
    assert (done.messages, done.late) == (0, 1)
    assert ann.site.octets("ann") == [SHOWN_LATE]


def during_writing(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[int], object]) -> list[int]:
    """Do something each time a new mailbox has been written; given the number of the attempt."""
    attempts: list[int] = []

    def writing(*arguments: object) -> int:
        altered = write_mailbox(*arguments)  # type: ignore[arg-type]
        attempts.append(len(attempts) + 1)
        meanwhile(attempts[-1])
        return altered

    monkeypatch.setattr(user_conversion, "write_mailbox", writing)
    return attempts


def test_a_mailbox_whose_locks_are_held_is_busy_and_stays(mbox: Ann, monkeypatch: pytest.MonkeyPatch) -> None:
    during_writing(monkeypatch, lambda _attempt: (mbox.home / "Mailbox.lock").touch())
    assert mbox.run(Action.TO_MAILDIR).outcome is Outcome.BUSY
    monkeypatch.undo()
    (mbox.home / "Mailbox.lock").unlink()
    assert mbox.site.location("ann").kind is MailboxKind.MBOX
    assert mbox.run(Action.TO_MAILDIR).outcome is Outcome.DONE


def test_without_a_template_nothing_happens(tmp_path: Path) -> None:
    ann = Ann(tmp_path, MailboxKind.MBOX, ("{home}/Mailbox",))
    done = ann.run(Action.TO_MAILDIR)
    assert done.outcome is Outcome.TROUBLE
    assert "none of" in (done.detail or "")


def test_an_import_that_was_broken_off_comes_first(mbox: Ann) -> None:
    journals = UserJournals(mbox.maintenance, ANN)
    journals.make()
    journals.carrying(Path("/old/ann")).touch()
    assert "spool-import" in (mbox.run(Action.TO_MAILDIR).detail or "")


def test_a_foreign_record_is_trouble(mbox: Ann) -> None:
    record_path(mbox.maintenance, ANN).parent.mkdir()
    record_path(mbox.maintenance, ANN).touch()
    assert mbox.run(Action.TO_MAILDIR).outcome is Outcome.TROUBLE


def test_a_half_conversion_needs_its_templates(mbox: Ann) -> None:
    mbox.run(Action.TO_MAILDIR)
    path = record_path(mbox.maintenance, ANN)
    save_conversions(path, [replace(load_conversions(path)[0], source="other", complete=False)])
    assert "templates" in (mbox.run(Action.TO_MAILDIR).detail or "")


# -- former mailboxes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("templates", [TEMPLATES, TEMPLATES[::-1]])
def test_mail_to_a_former_mbox_is_taken_over_by_the_next_run(tmp_path: Path, templates: tuple[str, ...]) -> None:
    ann = Ann(tmp_path, MailboxKind.MBOX, templates)
    ann.site.deliver("ann", b"Subject: one\n\n")
    ann.run(Action.TO_MAILDIR)
    with (ann.home / "Mailbox.before-convert").open("ab") as file:
        file.write(LATE_IN_MBOX)
    (ann.home / "Mailbox").write_bytes(LATE_IN_MBOX)  # by a program that does not know of the conversion
    assert ann.run(Action.TO_MAILDIR).late == 2
    assert ann.site.octets("ann").count(SHOWN_LATE) == 2
    assert ann.kept() == ["Mailbox.before-convert", "Mailbox.before-convert.2"]
    assert ann.run(Action.TO_MAILDIR).outcome is Outcome.NOTHING


def test_mail_to_a_former_maildir_is_taken_over_by_the_next_run(maildir: Ann) -> None:
    maildir.run(Action.TO_MBOX)
    (maildir.home / "Maildir.before-convert" / "new" / "9.late").write_bytes(LATE)
    for part in ("tmp", "new", "cur"):
        (maildir.home / "Maildir" / part).mkdir(parents=True)
    (maildir.home / "Maildir" / "new" / "9.later").write_bytes(LATE)
    assert maildir.run(Action.TO_MBOX).late == 2
    assert maildir.site.octets("ann")[2:] == [SHOWN_LATE, SHOWN_LATE]


def test_undoing_goes_back_to_the_first_kind_and_again_does_nothing(mbox: Ann) -> None:
    assert mbox.run(Action.UNDO).outcome is Outcome.NOTHING
    mbox.run(Action.TO_MAILDIR)
    assert mbox.run(Action.UNDO).kind is MailboxKind.MBOX
    assert mbox.run(Action.UNDO).outcome is Outcome.NOTHING
    assert mbox.kept() == ["Mailbox.before-convert", "Maildir.before-convert"]


def test_a_former_mbox_is_discarded_too(mbox: Ann) -> None:
    mbox.run(Action.TO_MAILDIR)
    mbox.now += GRACE_SECONDS
    assert mbox.run(Action.DISCARD).discarded == 1
    assert mbox.kept() == []


def test_former_mailboxes_are_discarded_after_their_grace(maildir: Ann) -> None:
    maildir.run(Action.TO_MBOX)
    assert maildir.run(Action.DISCARD).discarded == 0
    maildir.now += GRACE_SECONDS
    assert maildir.run(Action.DISCARD, dry_run=True).discarded == 1
    assert maildir.run(Action.DISCARD).discarded == 1
    assert maildir.kept() == []
    assert maildir.run(Action.UNDO).outcome is Outcome.NOTHING
    assert len(maildir.site.messages("ann")) == 2


def test_a_former_maildir_into_which_somebody_writes_is_not_discarded(maildir: Ann) -> None:
    maildir.run(Action.TO_MBOX)
    (maildir.home / "Maildir.before-convert" / "tmp" / "9.writing").touch()
    maildir.now += GRACE_SECONDS
    assert maildir.run(Action.DISCARD).outcome is Outcome.BUSY
    assert maildir.kept() == ["Maildir.before-convert"]


def test_a_former_mailbox_that_somebody_has_put_back_is_left_alone(mbox: Ann) -> None:
    mbox.run(Action.TO_MAILDIR)
    (mbox.home / "Maildir").rename(mbox.home / "mine")
    (mbox.home / "Mailbox.before-convert").rename(mbox.home / "Mailbox")
    assert mbox.run(Action.TO_MBOX).late == 0
    assert len(mbox.site.messages("ann")) == 2


def test_with_the_new_mailbox_gone_nothing_is_put_away(mbox: Ann) -> None:
    mbox.run(Action.TO_MAILDIR)
    (mbox.home / "Maildir").rename(mbox.home / "mine")
    (mbox.home / "Mailbox").write_bytes(LATE_IN_MBOX)
    assert mbox.run(Action.TO_MBOX).late == 0
    assert mbox.site.octets("ann") == [SHOWN_LATE]
