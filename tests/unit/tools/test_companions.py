"""The programs of instruction lines, run by a delivery as users run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.agent import DeliveryAgent
from delivery.companions.statuses import Exit
from delivery.lone_delivery import LoneDelivery
from delivery.resolver import AddressResolver
from delivery.settings import DeliverySettings
from spool.assign import Assignment, AssignRecord, publish_assign
from spool.errors import SpoolError
from spool.site import Site
from tests.unit.delivery.homes import TestHome
from tools import autoreply, bouncesaying, companion, condredirect, except_, forward, preline

MESSAGE = b"To: joe@a.org\nSubject: for one user\n\nsecret\n"


class Mail:
    """Joe's site, home and mail; its sendmail writes down how it was called."""

    def __init__(self, directory: Path) -> None:
        self.home = TestHome(directory / "spool")
        self.calls = directory / "calls"
        script = directory / "sendmail"
        script.write_text(f'#!/bin/sh\n{{ echo "$*"; cat >/dev/null; }} >> {self.calls}\n')
        script.chmod(0o755)
        site = Site(directory / "site")
        site.control.mkdir(parents=True)
        site.locals.write_text("a.org\n")
        site.settings_file.write_text(f'[delivery]\nsendmail = ["{script}"]\n')
        to = self.home.recipient()
        publish_assign([Assignment("joe", AssignRecord("joe", to.uid, to.gid, to.home))], site.assign_compiled)
        settings = DeliverySettings(sendmail=(str(script),))
        agent = DeliveryAgent(site, self.home.settings, settings, has_own_uid=lambda _: True)
        self._lone = LoneDelivery(AddressResolver(site, self.home.settings, settings), lambda _: None, agent)

    def deliver(self, lines: str) -> str:
        """Deliver to joe with these instructions; the status, ``ok`` if it went well."""
        self.home.write(".qmail", f"{lines}\n")
        try:
            self._lone.deliver("joe@a.org", "s@example.net", [MESSAGE])
        except SpoolError as error:
            return f"{error.status} {error.public_text}"
        return "ok"

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    made = Mail(tmp_path)
    yield made
    made.home.close()


TO_BOB = ["-i -f s@example.net -- bob@example.net"]


@pytest.mark.parametrize(
    ("lines", "ended", "stored", "calls"),
    [
        ("|preline -f grep -q ^Delivered-To:\n./Maildir/", "ok", 1, []),
        ("|preline -d grep -q ^Delivered-To:\n./Maildir/", "4.3.0", 0, []),
        ("|except grep -q one.user\n./Maildir/", "5.3.0", 0, []),
        ("|except grep -q nobody\n./Maildir/", "ok", 1, []),
        ("|bouncesaying 'no more' grep -q one.user\n./Maildir/", "5.3.0 no more", 0, []),
        ("|bouncesaying 'no more' grep -q nobody\n./Maildir/", "ok", 1, []),
        ("|condredirect bob@example.net grep -q one.user\n./Maildir/", "ok", 0, TO_BOB),
        ("|condredirect bob@example.net grep -q nobody\n./Maildir/", "ok", 1, []),
        ("|forward bob@example.net carl@example.net", "ok", 0, [f"{TO_BOB[0]} carl@example.net"]),
        ("|no-such-program\n./Maildir/", "4.3.0", 0, []),
        ("|forward\n./Maildir/", "5.3.0 forward: usage: ", 0, []),
    ],
)
def test_a_companion_decides_about_the_message(
    mail: Mail, lines: str, ended: str, stored: int, calls: list[str]
) -> None:
    assert mail.deliver(lines).startswith(ended)
    assert (len(mail.home.mail()), mail.called()) == (stored, calls)


def test_an_automatic_answer_goes_out_once(mail: Mail) -> None:
    mail.home.write("away", "I am away.\n")
    for _ in range(2):
        assert mail.deliver("|autoreply away\n./Maildir/") == "ok"
    assert mail.called() == ["-i -f <> -- s@example.net"]


@pytest.mark.parametrize("program", [autoreply, bouncesaying, condredirect, except_, forward, preline])
def test_a_companion_says_how_it_is_used(program: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--no-such-option"])  # type: ignore[attr-defined]
    assert ended.value.code == 100
    assert "usage: " in capsys.readouterr().err


def test_a_bug_is_temporary_and_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> Exit:
        raise ZeroDivisionError("secret")

    assert companion.run_companion("x", broken) == 111
    assert capsys.readouterr().err == "x: ZeroDivisionError\n"


def test_outside_of_an_instruction_line_it_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEWSENDER", raising=False)
    assert forward.main(["a@b"]) == 100
    assert "NEWSENDER is not set" in capsys.readouterr().err


def test_a_notice_never_keeps_mail_waiting(mail: Mail) -> None:
    assert mail.deliver("|qbiff\n|qbiff --no-such-option\n&ann@example.net") == "ok"
    assert mail.called() == ["-i -f s@example.net -- ann@example.net"]
