"""Tests of ``delivery.agent``, on a site of one user whose uid is ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from delivery import agent
from delivery.agent import has_own_uid, no_slot_in_dotlock_group
from delivery.engine import Run
from delivery.errors import ForwardingDeferredError, NoInstructionsError, ProgramDeferredError, ProgramRefusedError
from delivery.messages import Message
from delivery.plans import Plan
from delivery.programs import Ended
from delivery.resolver import Account
from delivery.settings import DeliverySettings
from spool.errors import HomeUnavailableError, MailboxUnavailableError, QuotaExceededError
from tests.unit.delivery.homes import TestHome
from tests.unit.delivery.one_user import MESSAGE, OneUser


@pytest.fixture
def joe(home: TestHome, tmp_path: Path) -> OneUser:
    return OneUser(home, tmp_path / "site")


@pytest.fixture
def own_uid(joe: OneUser) -> None:
    """As if joe's uid were joe's alone."""
    joe.own_uid = True


def test_a_message_reaches_the_maildrop(joe: OneUser, home: TestHome) -> None:
    assert joe.deliver("joe@b.org", "s@x").mailboxes == 1
    assert home.mail() == [b"Return-Path: <s@x>\nDelivered-To: joe@b.org\n" + MESSAGE]


def test_an_extension_that_nobody_claims_is_refused(joe: OneUser, home: TestHome) -> None:
    with pytest.raises(NoInstructionsError):
        joe.deliver("joe-list@a.org")
    assert home.mail() == []


def test_a_recipient_is_checked_without_anything_being_done(joe: OneUser, home: TestHome) -> None:
    account = joe.resolver().resolve("joe")
    joe.agent().check(account, "s@x")
    home.write(".qmail", "|true\n")
    with pytest.raises(ProgramDeferredError):
        joe.agent().check(account, "s@x")
    assert home.mail() == []


def test_a_recipient_without_room_is_known_before_the_message(joe: OneUser) -> None:
    joe.site.quotas.write_text("joe:,1\n")
    joe.deliver()
    with pytest.raises(QuotaExceededError):
        joe.agent().check(joe.resolver().resolve("joe"), "s@x")


@pytest.mark.usefixtures("own_uid")
def test_a_program_gets_the_message_and_says_what_becomes_of_it(joe: OneUser, home: TestHome) -> None:
    home.write(".qmail-list", '|cat > got; echo "$RECIPIENT $EXT $SENDER" >> got\n|echo no such list; exit 100\n')
    with pytest.raises(ProgramRefusedError) as trouble:
        joe.deliver("joe-list@a.org")
    assert trouble.value.public_text == "no such list"
    assert (home.path / "got").read_bytes() == MESSAGE + b"joe-list@a.org list s@x\n"


def test_where_users_share_a_uid_no_program_is_run(joe: OneUser, home: TestHome) -> None:
    home.write(".qmail", "./Maildir/\n|touch ran\n")
    with pytest.raises(ProgramDeferredError):
        joe.deliver()
    assert home.mail() == []
    assert not (home.path / "ran").exists()


def test_where_users_share_a_uid_programs_may_be_run_elsewhere(joe: OneUser, home: TestHome) -> None:
    taken: list[str] = []
    ran: list[tuple[str, bytes]] = []

    def run(command: str, environment: Mapping[bytes, bytes], message: Iterable[bytes]) -> Ended:
        assert environment[b"EXT"] == b""
        ran.append((command, b"".join(message)))
        return Ended(0, b"")

    def take(account: Account) -> AbstractContextManager[Run]:
        taken.append(account.recipient.user.text)
        return contextlib.nullcontext(run)

    joe.elsewhere = take
    home.write(".qmail", "|true\n")
    joe.deliver()
    assert (taken, ran) == (["joe"], [("true", MESSAGE)])
    with contextlib.closing(Message.of([MESSAGE])) as message:
        joe.agent().deliver(joe.resolver().resolve("joe"), "s@x", message, held=run)
    assert (len(taken), len(ran)) == (1, 2)


@pytest.mark.usefixtures("own_uid")
def test_with_the_group_of_all_mailboxes_no_program_is_run(joe: OneUser, home: TestHome) -> None:
    home.write(".qmail", "./Maildir/\n|touch ran\n")
    joe.slot = no_slot_in_dotlock_group
    with pytest.raises(ProgramDeferredError, match="dotlock_group"):
        joe.deliver()
    assert home.mail() == []
    assert not (home.path / "ran").exists()


@pytest.mark.usefixtures("own_uid")
def test_programs_can_be_switched_off(joe: OneUser, home: TestHome) -> None:
    home.write(".forward", "|touch ran")
    with pytest.raises(ProgramDeferredError):
        joe.deliver(settings=DeliverySettings(programs=False))


@pytest.mark.usefixtures("own_uid")
def test_a_program_that_cannot_be_started_is_tried_again(
    joe: OneUser, home: TestHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(agent, "run_program", fails)
    home.write(".qmail", "|true")
    with pytest.raises(ProgramDeferredError, match="temporarily unavailable"):
        joe.deliver()


def test_an_agent_may_leave_a_plan_to_others_before_its_first_line(joe: OneUser, home: TestHome) -> None:
    home.write(".qmail", "./Maildir/\n&a@b.org\n")
    asked: list[tuple[bool, bool]] = []

    def not_here(plan: Plan) -> None:
        asked.append((plan.forwards, plan.runs_programs))
        raise ForwardingDeferredError("not here")

    joe.may_begin = not_here
    settings = DeliverySettings(sendmail=("/bin/false",))
    joe.agent(settings).check(joe.resolver().resolve("joe"), "s@x")
    with pytest.raises(ForwardingDeferredError, match="not here"):
        joe.deliver(settings=settings)
    assert (asked, home.mail()) == ([(True, False)], [])


def test_without_a_home_mail_waits(joe: OneUser, home: TestHome) -> None:
    home.path.rename(home.root / "away")
    with pytest.raises(HomeUnavailableError):
        joe.deliver()


def test_it_tells_who_decides(joe: OneUser, home: TestHome) -> None:
    def explained(address: str, sender: str | None) -> list[str]:
        return list(joe.agent().explain(joe.resolver().resolve(address), sender))

    assert explained("joe", None) == [
        f"joe@a.org: by an exact assignment to joe (uid {os.geteuid()}, gid {os.getegid()})",
        f"home: {home.path}",
        "instructions: none, so the maildrop",
        "into the maildrop",
    ]
    home.write(".qmail-default", "# all\n./Maildir/\n./mbox\n&a@b\n|true\n")
    assert explained("joe-List@b.org", None) == [
        f"joe-List@b.org: by the wildcard +joe- to joe (uid {os.geteuid()}, gid {os.getegid()})",
        f"home: {home.path}",
        "extension: List",
        f"instructions: {home.path}/.qmail-default",
        "default stands for: List",
        "line 2: into the Maildir ./Maildir",
        "line 3: into the mbox ./mbox",
        "line 4: forward to a@b",
        "line 5: program true",
        "forwards are sent as: <>",
        "not delivered now: 4.4.0 neither [delivery] sendmail nor smarthost is set: nothing can be forwarded",
    ]
    home.write(".qmail", "# nothing\n")
    assert explained("joe", "s@x")[-1] == "nothing is done: the message is thrown away"
    assert home.mail() == []


def test_a_uid_is_ones_own_where_the_spool_root_is_somebody_elses(tmp_path: Path) -> None:
    owner = tmp_path.stat().st_uid
    assert not has_own_uid(owner, tmp_path)
    assert has_own_uid(owner + 1, tmp_path) is (owner != 0)
    with pytest.raises(MailboxUnavailableError):
        has_own_uid(owner, tmp_path / "missing")
