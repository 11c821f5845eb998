from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import NoSuchUserError
from spool.mailbox import Envelope, MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import DomainName, UserName
from spool.progress import NoProgress
from spool.quota.report import UserQuota, report_quotas
from spool.site_mailboxes import SiteMailboxes
from tests.made_site import MadeSite

ANN, BOB = UserName("ann"), UserName("bob")
MESSAGE = b"Subject: x\n\ny\n"


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MBOX})
    for name in ("ann", "bob"):
        open_mailbox(made.location(name), made.settings).deliver([MESSAGE], Envelope(None))
    return made


def report(made: MadeSite, *users: UserName, domain: str | None = None, recalculate: bool = False) -> list[UserQuota]:
    mailboxes = SiteMailboxes(made.site, made.settings, 100)
    return list(
        report_quotas(
            mailboxes,
            users,
            domain=DomainName(domain) if domain else None,
            recalculate=recalculate,
            progress=NoProgress(),
        )
    )


def mbox_octets(made: MadeSite) -> int:
    return made.location("bob").path.stat().st_size


def test_users_without_a_limit_have_what_is_there_and_nothing_is_written(made: MadeSite) -> None:
    assert report(made) == [UserQuota(ANN, len(MESSAGE), 1), UserQuota(BOB, mbox_octets(made), None)]
    assert not (made.location("ann").path / "maildirsize").exists()


def test_users_with_a_limit_have_a_share_of_it(made: MadeSite) -> None:
    made.site.quotas.write_text("ann:140,2\nbob:,4\n")
    assert report(made) == [
        UserQuota(ANN, len(MESSAGE), 1, 140, 2, 0.5),
        UserQuota(BOB, mbox_octets(made), 1, None, 4, 0.25),
    ]


def test_messages_of_an_mbox_are_not_counted_where_only_octets_are_limited(made: MadeSite) -> None:
    made.site.quotas.write_text(f"bob:{2 * mbox_octets(made)}\n")
    assert report(made, BOB) == [UserQuota(BOB, mbox_octets(made), None, 2 * mbox_octets(made), None, 0.5)]


def test_a_kept_figure_is_believed_unless_it_is_to_be_counted(made: MadeSite) -> None:
    made.site.quotas.write_text("ann:140\n")
    figure = made.location("ann").path / "maildirsize"
    figure.write_text("140S\n70 9\n")
    assert report(made, ANN) == [UserQuota(ANN, 70, 9, 140, None, 0.5)]
    assert report(made, ANN, recalculate=True) == [UserQuota(ANN, len(MESSAGE), 1, 140, None, 0.1)]
    assert figure.read_text() == f"140S\n{len(MESSAGE)} 1\n"


def test_users_are_chosen_by_name_and_domain(made: MadeSite) -> None:
    made.join("ann", "example.net")
    assert [user.user for user in report(made, domain="example.org")] == [BOB]
    with pytest.raises(NoSuchUserError):
        report(made, UserName("nobody"))


def test_the_trouble_of_one_is_not_the_others(made: MadeSite) -> None:
    made.location("ann").home.rename(made.site.directory / "away")
    ann, bob = report(made)
    assert ann.octets is None
    assert ann.trouble is not None
    assert not ann.busy
    assert bob.octets == mbox_octets(made)


def test_a_mailbox_that_others_hold_is_busy(made: MadeSite) -> None:
    made.site.quotas.write_text("bob:,4\n")
    lock = made.location("bob").path.with_name("Mailbox.lock")
    lock.touch()
    (bob,) = report(made, BOB)
    assert bob.busy


def test_an_mbox_that_is_not_there_yet_is_empty(made: MadeSite) -> None:
    made.location("bob").path.unlink()
    assert report(made, BOB) == [UserQuota(BOB, 0, None)]
