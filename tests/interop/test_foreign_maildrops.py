"""Maildrops that other delivery agents wrote: what was handed to them comes out of our POP3, octet for octet.

Two things are their doing, and are stated here: the header fields a writer adds at the top, and what each writer's way
of keeping an mbox loses. No reader could bring back what is lost: the file is the same for both messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from demo.messages import sample_messages
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need, need_program, need_root
from tests.interop.peers import DOVECOT_LDA, Account, dovecot_delivers, postfix, procmail_delivers
from tests.interop.wire import look_at

KINDS: Final = ("maildir", "mbox")
_HEAD: Final = b"From: a@example.org\nTo: b@example.org\nDate: Wed, 20 May 1998 09:00:00 +0900\nMessage-ID: <%b@odd>\n"
_ALL_BUT_LINE_ENDS: Final = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
MESSAGES: Final = (
    *sample_messages(14, seed=7),
    _HEAD % b"empty" + b"Subject: no line in the body\n\n",
    _HEAD % b"from" + b"Subject: From-lines at the edges\n\nFrom the first line\n\nFrom the last line\n",
    _HEAD % b"blank" + b"Subject: blank lines at the end\n\ntext\n\n\n\n",
    _HEAD % b"octets" + b"Subject: every octet\n\n" + _ALL_BUT_LINE_ENDS + b"\n",
    _HEAD % b"status" + b"Subject: long header\nX-Long: " + b"word " * 2000 + b"\n\ntext\n",
)
ADDED: Final[Mapping[str, Sequence[str]]] = {
    "dovecot": (),
    "procmail": (),
    "postfix-local": ("Return-Path", "X-Original-To", "Delivered-To", "Received"),
    "postfix-virtual": ("Return-Path", "X-Original-To", "Delivered-To", "Received"),
}
"""The header fields each writer puts in front, in their order."""


def _quotes_undone(message: bytes) -> bytes:
    # No writer quotes what is quoted already (mboxo; Dovecot's mboxcl2 quotes nothing), and we undo one level.
    return re.sub(rb"(?m)^>(>*From )", rb"\1", message)


def _body_of_one_line_at_least(message: bytes) -> bytes:
    return message + b"\r\n" if message.endswith(b"\r\n\r\n") and message.count(b"\r\n\r\n") == 1 else message


def _one_blank_line_less(message: bytes) -> bytes:
    return message.removesuffix(b"\r\n") if message.endswith(b"\r\n\r\n") else message


LOST: Final[Mapping[tuple[str, str], Sequence[Callable[[bytes], bytes]]]] = {
    # Dovecot writes a line end as the body of a message that has none.
    ("dovecot", "mbox"): (_quotes_undone, _body_of_one_line_at_least),
    # A blank line at the end of a message is procmail's separator; it writes no second one.
    ("procmail", "mbox"): (_quotes_undone, _one_blank_line_less),
    ("postfix-local", "mbox"): (_quotes_undone,),
    ("postfix-virtual", "mbox"): (_quotes_undone,),
}


def wire_form(message: bytes) -> bytes:
    """What RETR has to send of a message that was delivered with nothing lost."""
    lines = message.replace(b"\r\n", b"\n")
    return (lines if lines.endswith(b"\n") else lines + b"\n").replace(b"\n", b"\r\n")


def expected(writer: str, kind: str) -> list[bytes]:
    messages = []
    for message in map(wire_form, MESSAGES):
        for lose in LOST.get((writer, kind), ()):
            message = lose(message)  # noqa: PLW2901 - one loss after the other
        messages.append(message)
    return messages


def split_added(message: bytes, fields: Sequence[str]) -> bytes:
    """Take the header fields off that the writer put in front."""
    for field in fields:
        found = re.match(rb"%b: .*\r\n(?:[ \t].*\r\n)*" % field.encode(), message)
        assert found is not None, f"{field} is not what comes first in {message[:200]!r}"
        message = message[found.end() :]
    return message


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A served site with one user for each writer and kind; its maildrops are empty."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN")
        for writer in ADDED:
            for kind in KINDS:
                live.add_user(f"{writer}-{kind}", "--maildrop", kind)
        live.start()
        yield live
        assert live.stop() == 0


def _maildrop(site: LiveSite, user: str) -> tuple[Path, Account]:
    shown = site.show_user(user)
    return Path(shown["maildrop"]), Account(shown["uid"], shown["gid"])


def _check(site: LiveSite, writer: str, kind: str) -> None:
    seen = look_at(site.addresses["pop3"], f"{writer}-{kind}")
    right = [len(message) for message in seen.messages]
    # Dovecot's W= in a file name does not count the line end that RETR puts behind an unfinished last line; we believe
    # the name until the message is sent, and know better from then on.
    excess = [size - listed for size, listed in zip(right, seen.sizes, strict=True)]
    assert sorted(excess)[:-1] == [0] * (len(excess) - 1)
    assert max(excess) == (2 if (writer, kind) == ("dovecot", "maildir") else 0)
    assert list(look_at(site.addresses["pop3"], f"{writer}-{kind}").sizes) == right
    # A Maildir's messages of one second come in no particular order.
    found = sorted(split_added(message, ADDED[writer]) for message in seen.messages)
    assert found == sorted(expected(writer, kind))


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS)
def test_what_dovecots_delivery_agent_wrote_is_read_as_it_was_handed_over(site: LiveSite, kind: str) -> None:
    need(Path(DOVECOT_LDA).exists(), "dovecot-core")
    maildrop, account = _maildrop(site, f"dovecot-{kind}")
    with open_directory() as directory:
        for message in MESSAGES:
            dovecot_delivers(directory, account, maildrop, kind, message)
    _check(site, "dovecot", kind)


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS)
def test_what_procmail_wrote_is_read_as_it_was_handed_over(site: LiveSite, kind: str) -> None:
    need_program("procmail")
    maildrop, account = _maildrop(site, f"procmail-{kind}")
    with open_directory() as directory:
        for message in MESSAGES:
            procmail_delivers(directory, account, maildrop, kind, message)
    _check(site, "procmail", kind)


@pytest.mark.interop
def test_what_postfix_wrote_is_read_as_it_was_handed_over(site: LiveSite) -> None:
    need_program("postfix")
    need_root()
    places = {}
    account = _maildrop(site, "postfix-local-mbox")[1]
    for user in (f"postfix-{agent}-{kind}" for agent in ("local", "virtual") for kind in KINDS):
        places[user] = str(_maildrop(site, user)[0]) + ("/" if user.endswith("maildir") else "")
    with open_directory() as directory, postfix(directory / "postfix", account, places, places) as peer:
        for message in MESSAGES:
            for kind in KINDS:
                peer.deliver(f"postfix-local-{kind}@local.example", message=message)
                peer.deliver(f"postfix-virtual-{kind}@virtual.example", message=message)
        peer.wait_until_delivered()
    for kind in KINDS:
        _check(site, "postfix-local", kind)
        _check(site, "postfix-virtual", kind)


@pytest.mark.interop
def test_an_mbox_that_imap_clients_have_used_shows_its_messages_and_not_the_state_message(site: LiveSite) -> None:
    maildrop, _ = _maildrop(site, "dovecot-mbox")
    before = maildrop.read_bytes()
    maildrop.write_bytes(
        b"From MAILER-DAEMON Wed May 20 09:00:00 1998\nDate: Wed, 20 May 1998 09:00:00 +0900\n"
        b"From: Mail System Internal Data <MAILER-DAEMON@host.example>\n"
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nMessage-ID: <1@host.example>\n"
        b"X-IMAP: 0895651200 0000000002\nStatus: RO\n\nThis is part of the internal format of your mail folder.\n\n"
        b"From a@example.org Wed May 20 09:01:00 1998\nSubject: first\nStatus: RO\nX-Status: A\nX-UID: 1\n"
        b"X-Keywords: \n\none\n\n"
        b"From a@example.org Wed May 20 09:02:00 1998\nSubject: second\nX-UID: 2\nStatus: O\n\ntwo\n\n"
    )
    seen = look_at(site.addresses["pop3"], "dovecot-mbox")
    maildrop.write_bytes(before)
    assert list(seen.messages) == [b"Subject: first\r\n\r\none\r\n", b"Subject: second\r\n\r\ntwo\r\n"]
