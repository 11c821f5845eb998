from __future__ import annotations

import os
from pathlib import Path

import pytest

from spool.errors import MaintenanceBusyError, NoSuchUserError, SettingsError
from spool.expiry import DAY_SECONDS, Expired, ExpiryRules, Outcome, UserExpired, expire_mail
from spool.mailbox import Envelope, MailboxKind, Maildrop, MessageFacts
from spool.mailboxes import open_mailbox
from spool.maintenance import maintenance
from spool.mbox.mailbox import MboxMailbox
from spool.names import DomainName, UserName
from spool.progress import NoProgress
from spool.site_mailboxes import SiteMailboxes
from tests.made_site import MadeSite

ANN, BOB = UserName("ann"), UserName("bob")
NOW = 2_000_000_000.0
FETCHED, UNFETCHED = True, False


# -- the rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "age_days", "fetched", "expires"),
    [
        (ExpiryRules(30, None), 30, UNFETCHED, True),
        (ExpiryRules(30, None), 29.99, FETCHED, False),
        (ExpiryRules(None, 7), 7, FETCHED, True),
        (ExpiryRules(None, 7), 1000, UNFETCHED, False),
        (ExpiryRules(30, 7), 8, FETCHED, True),
        (ExpiryRules(30, 7), 8, UNFETCHED, False),
        (ExpiryRules(30, 7), 31, UNFETCHED, True),
        (ExpiryRules(30, 7), -5, FETCHED, False),
    ],
)
def test_mail_expires_by_its_age(rules: ExpiryRules, age_days: float, fetched: bool, expires: bool) -> None:
    assert rules.expires(MessageFacts(1, NOW - age_days * DAY_SECONDS, fetched), NOW) is expires


def test_mail_that_tells_no_date_does_not_expire() -> None:
    assert not ExpiryRules(1, 1).expires(MessageFacts(1, None, FETCHED), NOW)


@pytest.mark.parametrize(("days", "fetched_days"), [(None, None), (0, None), (30, 0), (-1, 5)])
def test_rules_without_an_age_of_a_day_are_refused(days: int | None, fetched_days: int | None) -> None:
    with pytest.raises(SettingsError):
        ExpiryRules(days, fetched_days)


@pytest.mark.parametrize("announced", [None, 0, 7])
def test_mail_may_expire_when_it_is_announced_to(announced: int | None) -> None:
    ExpiryRules(30, 7).check_promise(announced)


@pytest.mark.parametrize(("announced", "told"), [(8, "EXPIRE 8"), (-1, "EXPIRE NEVER")])
def test_mail_may_not_expire_earlier_than_is_announced(announced: int, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        ExpiryRules(30, 7).check_promise(announced)


# -- mailboxes --------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> MadeSite:
    """Two users with messages of 40, 20, 10 and 2 days, of which the second was the last that was fetched."""
    made = MadeSite(tmp_path, {"ann": MailboxKind.MAILDIR, "bob": MailboxKind.MBOX})
    for age_days in (40, 20, 10, 2):
        arrived = NOW - age_days * DAY_SECONDS
        message = [b"Subject: of %d days\n\n" % age_days]
        MboxMailbox(made.location("bob"), made.settings, now=lambda seconds=arrived: seconds).deliver(  # type: ignore[misc]
            message, Envelope(None)
        )
        place = open_mailbox(made.location("ann"), made.settings).deliver(message, Envelope(None)).place
        os.utime(made.location("ann").path / "new" / place, (arrived, arrived))
    for name in ("ann", "bob"):
        maildrop = opened(made, name)
        maildrop.commit(deleted=set(), retrieved={2})
        maildrop.close()
    return made


def opened(made: MadeSite, name: str) -> Maildrop:
    return open_mailbox(made.location(name), made.settings).open_maildrop()


def ages(made: MadeSite, name: str) -> list[int]:
    """The ages of the messages that are left."""
    maildrop = opened(made, name)
    facts = [maildrop.facts(number) for number in range(1, len(maildrop.unique_ids) + 1)]
    maildrop.close()
    return [round((NOW - (fact.arrived_at or 0)) / DAY_SECONDS) for fact in facts]


def expire(
    made: MadeSite, rules: ExpiryRules, *users: UserName, domain: str | None = None, dry_run: bool = False
) -> Expired:
    return expire_mail(
        SiteMailboxes(made.site, made.settings, 100),
        rules,
        users,
        domain=DomainName(domain) if domain else None,
        now=NOW,
        dry_run=dry_run,
        progress=NoProgress(),
    )


def test_old_mail_is_removed_from_every_mailbox(made: MadeSite) -> None:
    expired = expire(made, ExpiryRules(15, None))
    assert [(user.user, user.outcome, user.messages) for user in expired.users] == [
        (ANN, Outcome.DONE, 2),
        (BOB, Outcome.DONE, 2),
    ]
    assert ages(made, "ann") == ages(made, "bob") == [10, 2]


def test_fetched_mail_may_be_removed_earlier(made: MadeSite) -> None:
    expire(made, ExpiryRules(30, 15))
    assert ages(made, "ann") == ages(made, "bob") == [10, 2]


def test_what_counts_as_fetched_is_the_flag_of_a_maildir_and_the_mark_of_an_mbox(made: MadeSite) -> None:
    expire(made, ExpiryRules(None, 1))
    assert ages(made, "ann") == [40, 10, 2]
    assert ages(made, "bob") == [10, 2]


def test_the_octets_that_were_removed_are_told(made: MadeSite) -> None:
    before = made.location("bob").path.stat().st_size
    (bob,) = expire(made, ExpiryRules(15, None), BOB).users
    assert bob.octets == before - made.location("bob").path.stat().st_size


def test_a_dry_run_tells_and_removes_nothing(made: MadeSite) -> None:
    expired = expire(made, ExpiryRules(15, None), dry_run=True)
    assert expired.dry_run
    assert [user.messages for user in expired.users] == [2, 2]
    assert ages(made, "ann") == ages(made, "bob") == [40, 20, 10, 2]


def test_users_are_chosen_by_name_and_domain(made: MadeSite) -> None:
    made.join("ann", "example.net")
    assert [user.user for user in expire(made, ExpiryRules(15, None), domain="example.org").users] == [BOB]
    assert ages(made, "ann") == [40, 20, 10, 2]
    with pytest.raises(NoSuchUserError):
        expire(made, ExpiryRules(15, None), UserName("nobody"))


def test_a_mailbox_that_is_read_is_left_for_the_next_run(made: MadeSite) -> None:
    session = opened(made, "ann")
    expired = expire(made, ExpiryRules(15, None))
    session.close()
    assert [user.user for user in expired.of(Outcome.BUSY)] == [ANN]
    assert ages(made, "ann") == [40, 20, 10, 2]
    assert ages(made, "bob") == [10, 2]
    assert expire(made, ExpiryRules(15, None)).of(Outcome.BUSY) == ()
    assert ages(made, "ann") == [10, 2]


def test_the_trouble_of_one_is_not_the_others(made: MadeSite) -> None:
    made.location("ann").home.rename(made.site.directory / "away")
    expired = expire(made, ExpiryRules(15, None))
    assert [user.user for user in expired.of(Outcome.FAILED)] == [ANN]
    assert ages(made, "bob") == [10, 2]


def test_one_user_s_wrong_limit_is_the_trouble_of_that_user(made: MadeSite) -> None:
    made.site.quotas.write_text("ann:much\n")
    expired = expire(made, ExpiryRules(15, None))
    assert [user.user for user in expired.of(Outcome.FAILED)] == [ANN]


def test_what_is_removed_makes_room_under_a_limit(made: MadeSite) -> None:
    made.site.quotas.write_text("ann:1M\n")
    figure = made.location("ann").path / "maildirsize"
    figure.write_text("1048576S\n1000 4\n")
    (ann,) = expire(made, ExpiryRules(15, None), ANN).users
    assert figure.read_text() == f"1048576S\n1000 4\n-{ann.octets} -2\n"


def test_a_message_that_goes_meanwhile_is_passed_over(made: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in made.location("ann").path.glob("*/*"):
        if "S=" in path.name:
            monkeypatch.setattr("spool.expiry.open_mailbox", _removing_first(path))
    (ann,) = expire(made, ExpiryRules(1, None), ANN).users
    assert ann.messages == 3


def _removing_first(path: Path) -> object:
    class Opening:
        def __init__(self, *arguments: object, **names: object) -> None:
            self._mailbox = open_mailbox(*arguments, **names)  # type: ignore[arg-type]

        def open_maildrop(self, *, share: bool) -> Maildrop:
            maildrop = self._mailbox.open_maildrop(share=share)
            path.unlink()
            return maildrop

    return Opening


def test_only_one_operation_works_on_a_site(made: MadeSite) -> None:
    with maintenance(made.site), pytest.raises(MaintenanceBusyError):
        expire(made, ExpiryRules(15, None))
    assert ages(made, "ann") == [40, 20, 10, 2]


def test_an_empty_mailbox_has_nothing_to_remove(made: MadeSite) -> None:
    expire(made, ExpiryRules(1, None))
    assert expire(made, ExpiryRules(1, None)).users == (
        UserExpired(ANN, Outcome.DONE),
        UserExpired(BOB, Outcome.DONE),
    )
