from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import HomeUnavailableError, NoSuchUserError
from spool.mailbox import MailboxKind
from spool.names import DomainName, UserName
from spool.site_mailboxes import SiteMailboxes
from tests.made_site import MadeSite

ANN, BOB, JOE = UserName("ann"), UserName("bob"), UserName("joe")


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    return MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MBOX, "joe": MailboxKind.MAILDIR})


@pytest.fixture
def mailboxes(made: MadeSite) -> SiteMailboxes:
    return SiteMailboxes(made.site, made.settings, 100)


def test_all_users_are_chosen_unless_some_are_named(mailboxes: SiteMailboxes) -> None:
    assert set(mailboxes.chosen()) == {ANN, BOB, JOE}
    assert list(mailboxes.chosen((BOB, ANN))) == [BOB, ANN]


def test_a_domain_chooses_its_users(made: MadeSite, mailboxes: SiteMailboxes) -> None:
    made.join("ann", "example.net")
    made.join("bob", "example.org")
    assert set(mailboxes.chosen(domain=DomainName("example.net"))) == {ANN, JOE}
    assert set(mailboxes.chosen((BOB, JOE), domain=DomainName("example.net"))) == {JOE}


def test_a_name_that_is_no_user_s_is_an_error(mailboxes: SiteMailboxes) -> None:
    with pytest.raises(NoSuchUserError, match="no user nobody"):
        mailboxes.chosen((UserName("nobody"),))


def test_a_mailbox_is_found_where_it_is(made: MadeSite, mailboxes: SiteMailboxes) -> None:
    with mailboxes.mailbox_of(BOB, mailboxes.chosen()[BOB]) as location:
        assert location == made.location("bob")


def test_a_missing_home_is_not_available(made: MadeSite, mailboxes: SiteMailboxes) -> None:
    made.location("ann").home.rename(made.site.directory / "away")
    with pytest.raises(HomeUnavailableError), mailboxes.mailbox_of(ANN, mailboxes.chosen()[ANN]):
        pytest.fail("found")
