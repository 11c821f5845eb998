"""Tests of ``delivery.agent``, on a site of one user whose uid is ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from delivery import agent
from delivery.agent import Account, DeliveryAgent, has_own_uid
from delivery.engine import Run
from delivery.environment import Recipient
from delivery.errors import NoInstructionsError, ProgramDeferredError, ProgramRefusedError
from delivery.messages import Message
from delivery.program_shares import ProgramShare
from delivery.programs import Ended
from delivery.settings import DeliverySettings
from spool.assign import Assignment, AssignRecord, Wildcard, publish_assign
from spool.errors import DirectoryUnavailableError, HomeUnavailableError, MailboxUnavailableError, NoSuchUserError
from spool.site import Site
from tests.unit.delivery.homes import TestHome

MESSAGE = b"Subject: hello\n\nbody\n"


class Became(list[str]):
    """Who this process was told to become, and whether joe's uid is joe's alone."""

    own_uid = False
    elsewhere: Callable[[Account], AbstractContextManager[Run]] | None = None

    def __call__(self, recipient: Recipient) -> None:
        self.append(recipient.user.text)


@pytest.fixture
def became() -> Became:
    return Became()


@pytest.fixture
def made(home: TestHome, tmp_path: Path, became: Became) -> Callable[..., DeliveryAgent]:
    """Makes the agent of a site with joe."""
    site = Site(tmp_path / "site")
    site.control.mkdir(parents=True)
    site.locals.write_text("b.org\na.org\n")
    user = AssignRecord("joe", os.geteuid(), os.getegid(), home.path)
    extended = AssignRecord("joe", os.geteuid(), os.getegid(), home.path, dash="-")
    broken = AssignRecord("not a user", 1, 1, home.path)
    lines = (Assignment("joe", user), Wildcard("joe-", extended), Assignment("broken", broken))
    publish_assign(lines, site.assign_compiled)
    return lambda **settings: DeliveryAgent(
        site,
        home.settings,
        DeliverySettings(**settings),
        become=became,
        has_own_uid=lambda _: became.own_uid,
        programs_elsewhere=became.elsewhere,
    )


@pytest.fixture
def own_uid(became: Became) -> None:
    """As if joe's uid were joe's alone."""
    became.own_uid = True


def test_a_message_reaches_the_maildrop(made: Callable[..., DeliveryAgent], home: TestHome, became: Became) -> None:
    report = made().deliver("joe@b.org", "s@x", [MESSAGE])
    assert (report.mailboxes, became) == (1, ["joe"])
    assert home.mail() == [b"Return-Path: <s@x>\nDelivered-To: joe@b.org\n" + MESSAGE]


def test_an_address_without_a_domain_gets_the_first_of_the_sites(
    made: Callable[..., DeliveryAgent], home: TestHome
) -> None:
    made().deliver("joe", None, [MESSAGE])
    assert home.mail() == [b"Return-Path: <>\nDelivered-To: joe@a.org\n" + MESSAGE]


@pytest.mark.parametrize(
    ("address", "trouble"),
    [
        ("joe@c.org", NoSuchUserError),
        ("ann", NoSuchUserError),
        ("broken", DirectoryUnavailableError),
        ("joe-list@a.org", NoInstructionsError),
    ],
)
def test_nobody_wants_some_addresses(
    made: Callable[..., DeliveryAgent], home: TestHome, address: str, trouble: type[Exception]
) -> None:
    with pytest.raises(trouble):
        made().deliver(address, "s@x", [MESSAGE])
    assert home.mail() == []


@pytest.mark.usefixtures("own_uid")
def test_a_program_gets_the_message_and_says_what_becomes_of_it(
    made: Callable[..., DeliveryAgent], home: TestHome
) -> None:
    home.write(".qmail-list", '|cat > got; echo "$RECIPIENT $EXT $SENDER" >> got\n|echo no such list; exit 100\n')
    with pytest.raises(ProgramRefusedError) as trouble:
        made().deliver("joe-list@a.org", "s@x", [MESSAGE])
    assert trouble.value.public_text == "no such list"
    assert (home.path / "got").read_bytes() == MESSAGE + b"joe-list@a.org list s@x\n"


def test_where_users_share_a_uid_no_program_is_run(made: Callable[..., DeliveryAgent], home: TestHome) -> None:
    home.write(".qmail", "./Maildir/\n|touch ran\n")
    with pytest.raises(ProgramDeferredError):
        made().deliver("joe", "s@x", [MESSAGE])
    assert home.mail() == []
    assert not (home.path / "ran").exists()


def test_where_users_share_a_uid_programs_may_be_run_elsewhere(
    made: Callable[..., DeliveryAgent], home: TestHome, became: Became
) -> None:
    taken: list[str] = []
    ran: list[tuple[str, bytes]] = []

    def run(command: str, environment: Mapping[bytes, bytes], message: Iterable[bytes]) -> Ended:
        assert environment[b"EXT"] == b""
        ran.append((command, b"".join(message)))
        return Ended(0, b"")

    def take(account: Account) -> AbstractContextManager[Run]:
        taken.append(account.recipient.user.text)
        return contextlib.nullcontext(run)

    became.elsewhere = take
    home.write(".qmail", "|true\n")
    agent = made()
    agent.deliver("joe", "s@x", [MESSAGE])
    assert (taken, ran) == (["joe"], [("true", MESSAGE)])
    with contextlib.closing(Message.of([MESSAGE])) as message:
        agent.deliver_to(agent.resolve("joe"), "s@x", message, held=run)
    assert (len(taken), len(ran)) == (1, 2)


def test_an_account_says_what_its_programs_may_have(made: Callable[..., DeliveryAgent], tmp_path: Path) -> None:
    agent = made(programs_per_user=3)
    assert agent.resolve("joe").programs == ProgramShare(3, 300.0)
    (tmp_path / "site" / "control" / "programs").write_text("joe:1:60\n")
    assert agent.resolve("joe").programs == ProgramShare(1, 60.0)


@pytest.mark.usefixtures("own_uid")
def test_programs_can_be_switched_off(made: Callable[..., DeliveryAgent], home: TestHome) -> None:
    home.write(".forward", "|touch ran")
    with pytest.raises(ProgramDeferredError):
        made(programs=False).deliver("joe", "s@x", [MESSAGE])


@pytest.mark.usefixtures("own_uid")
def test_a_program_that_cannot_be_started_is_tried_again(
    made: Callable[..., DeliveryAgent], home: TestHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(agent, "run_program", fails)
    home.write(".qmail", "|true")
    with pytest.raises(ProgramDeferredError, match="temporarily unavailable"):
        made().deliver("joe", "s@x", [MESSAGE])


def test_without_a_home_mail_waits(made: Callable[..., DeliveryAgent], home: TestHome) -> None:
    home.path.rename(home.root / "away")
    with pytest.raises(HomeUnavailableError):
        made().deliver("joe", "s@x", [MESSAGE])


def test_it_tells_who_decides(made: Callable[..., DeliveryAgent], home: TestHome) -> None:
    assert list(made().explain("joe", None)) == [
        f"joe@a.org: by an exact assignment to joe (uid {os.geteuid()}, gid {os.getegid()})",
        f"home: {home.path}",
        "instructions: none, so the maildrop",
        "into the maildrop",
    ]
    home.write(".qmail-default", "# all\n./Maildir/\n./mbox\n&a@b\n|true\n")
    assert list(made().explain("joe-List@b.org", None)) == [
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
    ]
    home.write(".qmail", "# nothing\n")
    assert list(made().explain("joe", "s@x"))[-1] == "nothing is done: the message is thrown away"
    assert home.mail() == []


def test_a_uid_is_ones_own_where_the_spool_root_is_somebody_elses(tmp_path: Path) -> None:
    owner = tmp_path.stat().st_uid
    assert not has_own_uid(owner, tmp_path)
    assert has_own_uid(owner + 1, tmp_path) is (owner != 0)
    with pytest.raises(MailboxUnavailableError):
        has_own_uid(owner, tmp_path / "missing")
