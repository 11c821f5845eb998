"""Our POP3 beside Dovecot's over a copy of the same mailbox, session by session: count, sizes and content are the same.

Where we differ on purpose, ``MBOXES`` says what we show and why. A difference that is not written there fails the test,
and so does one that is written there and has gone. Quoted From-lines are left as they are (``mbox_unquote = false``),
as Dovecot does; that we undo the quoting by default is tested with the programs that quote.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from demo.messages import sample_messages
from tests.interop.live_site import PASSWORD, LiveSite, open_directory, service_account
from tests.interop.needs import need_program, need_root
from tests.interop.peers import Account, DovecotPop3, dovecot_pop3, procmail_delivers
from tests.interop.wire import Seen, Wire, look_at

PEERS_PASSWORD: Final = "secret"
KINDS: Final = ("maildir", "mbox")
FROM: Final = b"From a@example.org Wed May 20 09:00:00 1998\n"
ONE: Final = FROM + b"Subject: 1\n\none\n\n"
TWO: Final = FROM + b"Subject: 2\n\ntwo\n\n"
SHOWN_ONE: Final = b"Subject: 1\r\n\r\none\r\n"
SHOWN_TWO: Final = b"Subject: 2\r\n\r\ntwo\r\n"


@dataclass(frozen=True)
class Difference:
    """What we show where Dovecot shows something else, and why that is right."""

    ours: Sequence[bytes]
    reason: str


@dataclass(frozen=True)
class Mbox:
    """An mbox, and the difference it makes, None where there must not be any."""

    content: bytes
    difference: Difference | None = None


MBOXES: Final = {
    "two messages": Mbox(ONE + TWO),
    "an empty file": Mbox(b""),
    "From-lines in bodies": Mbox(
        FROM + b"Subject: 1\n\nFrom here\n\nFrom there on\nFrom a@b\n\n>From x\n>>From y\n\n" + TWO
    ),
    "a From_ line in the header": Mbox(FROM + b"Subject: 1\n" + TWO),
    "a quoted From_ line before the header": Mbox(FROM + b">" + ONE),
    "no blank line before From_": Mbox(ONE[:-1] + TWO[:-1]),
    "CRLF": Mbox((ONE + TWO).replace(b"\n", b"\r\n")),
    "CRLF and LF": Mbox(ONE.replace(b"\n", b"\r\n") + FROM + b"Subject: 2\n\ntwo\r\nthree\n\n" + TWO),
    "CR within lines": Mbox(FROM + b"Subject: 1\n\na\rb\r\r\nc\n\r\n\n" + TWO),
    "no line end at the end": Mbox(ONE + TWO.rstrip(b"\n")),
    "NULs": Mbox(FROM + b"Subject: 1\n\na\0b\0\n\n" + TWO),
    "blank lines at the ends": Mbox(FROM + b"Subject: 1\n\none\n\n\n\n\n" + TWO + b"\n"),
    "headers without bodies": Mbox(FROM + b"Subject: 1\n\n" + FROM + b"Subject: 2\n\n\n" + FROM + b"Subject: 3\n\n"),
    "no header": Mbox(FROM + b"just text\nmore\n\n" + FROM + b"Subject 2\n\nx\n\n"),
    "a header that begins folded": Mbox(FROM + b" folded\nSubject: 1\n\none\n\n" + TWO),
    "the state of an IMAP server": Mbox(
        FROM + b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 0895651200 0000000002\n"
        b"Status: RO\n\nstate\n\n" + FROM + b"Subject: 1\nStatus: RO\nX-UID: 1\nX-Keywords: \n\none\n\n"
    ),
    "the state of an IMAP server in the first message": Mbox(
        FROM + b"Subject: 1\nX-IMAPbase: 0895651200 0000000002\nStatus: RO\nX-UID: 1\n\none\n\n" + TWO
    ),
    "folded storage fields": Mbox(FROM + b"Subject: 1\nStatus: RO\n folded\nX-Status: D\n\none\n\n" + TWO),
    "storage fields with CRLF": Mbox((FROM + b"Subject: 1\nStatus: RO\nX-UID: 5\n\none\n\n").replace(b"\n", b"\r\n")),
    "storage fields twice": Mbox(
        FROM + b"Subject: 1\nContent-Length: 4\nContent-Length: 4\nStatus: R\nStatus: O\n\n1\n\n"
    ),
    "a true Content-Length over From_": Mbox(
        FROM + b"Subject: 1\nContent-Length: 61\n\n" + (FROM + b"Subject: in\n\n").ljust(60, b"x") + b"\n\n" + TWO
    ),
    "a Content-Length that is too long": Mbox(FROM + b"Subject: 1\nContent-Length: 5000\n\none\n\n" + TWO),
    "a Content-Length that is too short": Mbox(FROM + b"Subject: 1\nContent-Length: 3\n\none and more\n\n" + TWO),
    "8-bit octets": Mbox(
        FROM + b"Subject: \xe9\xe8\xff\n\n" + bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\n\n"
    ),
    "lines of a megabyte": Mbox(
        FROM
        + b"Subject: 1\n\n"
        + b"x" * 1_000_000
        + b"\n\n"
        + FROM
        + b"Subject: "
        + b"h" * 1_000_000
        + b"\n\nbody\n\n"
        + TWO
    ),
    "From_ lines of several programs": Mbox(
        b"From a@example.org Wed May 20 09:00:00 +0900 1998\nSubject: 1\n\none\n\n"
        b"From - Wed May 20 09:00:00 1998\nSubject: 2\n\ntwo\n\n"
        b'From "a b"@c Wed May 20 09:00 1998 remote from x\nSubject: 3\n\nthree\n\n'
        b"From  Wed May 20 09:00:00 1998\nSubject: 4\n\nfour\n\n"
    ),
    "messages of nothing": Mbox(
        FROM + b"\n" + FROM + b"\n" + ONE,
        Difference((b"", b"", SHOWN_ONE), "Dovecot sends a blank line that LIST does not count; nothing is nothing"),
    ),
    "two From_ lines in a row": Mbox(
        FROM + ONE,
        Difference(
            (b"", SHOWN_ONE), "a delivery that was broken off behind its From_ line is not part of the next message"
        ),
    ),
    "X-UIDL": Mbox(
        FROM + b"Subject: 1\nX-UIDL: abc\n\none\n\n",
        Difference((SHOWN_ONE,), "qpopper's X-UIDL is storage, not part of what was sent"),
    ),
    "a time zone of two words": Mbox(
        ONE + b"From a@b  Wed May 20 09:00:00 MET DST 1998\nSubject: 2\n\ntwo\n\n",
        Difference((SHOWN_ONE, SHOWN_TWO), "such From_ lines are found in old mailboxes"),
    ),
    "NULs at the end": Mbox(
        ONE + b"\0" * 100, Difference((SHOWN_ONE,), "a crashed machine left them, nobody sent them")
    ),
    "a torn From_ line at the end": Mbox(
        ONE + b"From a@ex", Difference((SHOWN_ONE,), "a delivery that was broken off is nobody's mail")
    ),
    "blank lines at the beginning": Mbox(
        b"\n\n" + ONE, Difference((SHOWN_ONE,), "editors leave them; Dovecot refuses the whole mailbox")
    ),
}

FILES: Final = (
    b"Subject: 1\n\none\n",
    b"Subject: crlf\r\n\r\none\r\n",
    b"Subject: mixed\r\n\none\r\ntwo\n",
    b"Subject: no line end at the end\n\none",
    b"Subject: ends in CR\n\none\r",
    b"Subject: nul\n\na\0b\n",
    b"Subject: header only\n",
    b"Subject: header and blank line\n\n",
    b"no header\n",
    b"\n\nblank lines\n",
    b"Status: RO\nX-UID: 7\nX-UIDL: abc\nContent-Length: 3\nSubject: fields of mboxes\n\none\n",
    b"From a@example.org Wed May 20 09:00:00 1998\nSubject: with a From_ line\n\none\n",
    b"Subject: dots\n\n.\n..\n.x\n",
    b"Subject: " + b"h" * 1_000_000 + b"\n\n" + b"x" * 1_000_000 + b"\n",
)


class Pair:
    """One mailbox of ours and a copy of it at Dovecot's."""

    def __init__(self, site: LiveSite, peer: DovecotPop3, user: str, home: Path) -> None:
        shown = site.show_user(user)
        self.account = Account(shown["uid"], shown["gid"])
        self.kind: str = shown["kind"]
        self.ours, self.theirs = Path(shown["maildrop"]), home / ("Maildir" if self.kind == "maildir" else "mbox")
        self._user, self._name = user, home.name
        self._our_address, self._their_address = site.addresses["pop3"], ("127.0.0.1", peer.port)
        if self.kind == "maildir":
            for part in ("", "tmp", "new", "cur"):
                self._own(self.theirs / part, directory=True)

    def _own(self, path: Path, *, directory: bool = False) -> None:
        if directory:
            path.mkdir(exist_ok=True)
        os.chown(path, self.account.uid, self.account.gid)

    def put_mbox(self, content: bytes) -> None:
        """Replace both. Dovecot, which would mix up what it remembers of one with the next, has to forget."""
        shutil.rmtree(self.theirs.with_name("folders"), ignore_errors=True)
        for path in (self.ours, self.theirs):
            path.write_bytes(content)
            self._own(path)

    def put_file(self, name: str, content: bytes) -> None:
        """Put one message into both Maildirs."""
        for maildir in (self.ours, self.theirs):
            (maildir / name).write_bytes(content)
            self._own(maildir / name)

    def append(self, directory: Path, message: bytes) -> None:
        """Have procmail deliver a message to both."""
        for path in (self.ours, self.theirs):
            procmail_delivers(directory, self.account, path, self.kind, message)

    def look(self) -> tuple[Seen, Seen]:
        """What we show, and what Dovecot shows."""
        return self.look_at_ours(), self.look_at_theirs()

    def look_at_ours(self) -> Seen:
        """What we show."""
        return look_at(self._our_address, self._user)

    def look_at_theirs(self) -> Seen:
        """What Dovecot shows."""
        return look_at(self._their_address, self._name, PEERS_PASSWORD)

    def delete(self, positions: Sequence[int]) -> None:
        """Delete the messages at the same positions of both, by content where the order may differ."""
        ours, theirs = self.look()
        wanted = [ours.messages[position] for position in positions]
        _delete(self._our_address, self._user, PASSWORD, [position + 1 for position in positions])
        left = {content: [n + 1 for n, each in enumerate(theirs.messages) if each == content] for content in wanted}
        _delete(self._their_address, self._name, PEERS_PASSWORD, [left[content].pop() for content in wanted])

    def check(self) -> Seen:
        """Both show the same; what we show."""
        ours, theirs = self.look()
        assert list(ours.sizes) == [len(message) for message in ours.messages]
        assert len(set(ours.unique_ids)) == len(ours.messages)
        if self.kind == "maildir":
            # Messages of one second come in no particular order.
            assert sorted(ours.messages) == sorted(theirs.messages)
            assert sorted(ours.sizes) == sorted(_with_added_line_ends(theirs))
        else:
            assert list(ours.messages) == list(theirs.messages)
            assert list(ours.sizes) == _with_added_line_ends(theirs)
        return ours


def _delete(address: tuple[str, int], user: str, password: str, numbers: Sequence[int]) -> None:
    with Wire(address) as wire:
        assert wire.login(user, password).startswith(b"+OK")
        for number in numbers:
            wire.ok(f"DELE {number}")
        wire.ok("QUIT")


def _with_added_line_ends(theirs: Seen) -> list[int]:
    # Dovecot's LIST does not count the line end that its RETR puts behind an unfinished last line.
    return [
        size + 2 if len(message) == size + 2 else size
        for size, message in zip(theirs.sizes, theirs.messages, strict=True)
    ]


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A user of ours and one of Dovecot's, with empty mailboxes of one kind."""
    need_program("dovecot", "procmail")
    need_root()
    kind: str = request.param
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", "--set", "spool.mbox_unquote=false")
        live.add_user("reader", "--maildrop", kind)
        shown = live.show_user("reader")
        account = Account(shown["uid"], shown["gid"])
        location = "maildir:~/Maildir" if kind == "maildir" else "mbox:~/folders:INBOX=~/mbox"
        live.start()
        try:
            with dovecot_pop3(directory / "dovecot", account, location, PEERS_PASSWORD) as peer:
                yield Pair(live, peer, "reader", peer.add_user("reader"))
        finally:
            assert live.stop() == 0


mbox_only = pytest.mark.parametrize("pair", ["mbox"], indirect=True)
maildir_only = pytest.mark.parametrize("pair", ["maildir"], indirect=True)


@pytest.mark.interop
@mbox_only
@pytest.mark.parametrize("name", MBOXES)
def test_an_odd_mbox_is_read_as_dovecot_reads_it_or_differently_for_a_reason(pair: Pair, name: str) -> None:
    mbox = MBOXES[name]
    pair.put_mbox(mbox.content)
    if mbox.difference is None:
        pair.check()
        return
    ours = pair.look_at_ours()
    assert list(ours.messages) == list(mbox.difference.ours)
    assert list(ours.sizes) == [len(message) for message in ours.messages]
    try:
        theirs = list(pair.look_at_theirs().messages)
    except AssertionError:
        theirs = None  # it refuses the mailbox
    assert theirs != list(ours.messages), f"no difference any more: {mbox.difference.reason}"


@pytest.mark.interop
@maildir_only
def test_odd_files_in_a_maildir_are_read_as_dovecot_reads_them(pair: Pair) -> None:
    for number, content in enumerate(FILES):
        part, flags = ("new", "") if number % 2 else ("cur", ":2,S")
        pair.put_file(f"{part}/{895651200 + number}.M1P1.host{flags}", content)
    pair.check()
    pair.delete(range(len(FILES)))
    assert pair.check().messages == []


def _generated(directory: Path, messages: int) -> bytes:
    """An mbox of bench/genmail.py."""
    command = [sys.executable, "-m", "bench.genmail", "mbox", "--out", str(directory), "--users", "1"]
    subprocess.run([*command, "--messages", str(messages), "--big-every", "0"], check=True, capture_output=True)
    return next(directory.rglob("mbox")).read_bytes()


def _samples(count: int) -> bytes:
    """An mbox that was written by a program that quotes nothing: From_ lines in bodies split messages."""
    return b"".join(
        FROM + (message if message.endswith(b"\n") else message + b"\n") + b"\n"
        for message in sample_messages(count, seed=11)
    )


@pytest.mark.interop
@mbox_only
@pytest.mark.parametrize("source", ["generated", "samples"])
def test_an_mbox_of_thousands_is_the_same_session_by_session(pair: Pair, source: str, tmp_path: Path) -> None:
    pair.put_mbox(_generated(tmp_path, 2500) if source == "generated" else _samples(1500))
    _play_sessions(pair, least=1500)


@pytest.mark.interop
@maildir_only
def test_a_maildir_of_thousands_is_the_same_session_by_session(pair: Pair) -> None:
    for number, message in enumerate(sample_messages(1500, seed=12)):
        part, flags = ("new", "") if number % 3 else ("cur", ":2,S")
        pair.put_file(f"{part}/{895651200 + number}.M{number}P2.host{flags}", message)
    _play_sessions(pair, least=1500)


def _play_sessions(pair: Pair, *, least: int) -> None:
    before = pair.check()
    assert len(before.messages) >= least
    pair.delete(range(0, len(before.messages), 3))
    after = pair.check()
    kept = [position for position in range(len(before.messages)) if position % 3]
    assert [before.unique_ids[position] for position in kept] == list(after.unique_ids)
    with open_directory() as directory:
        for message in (b"Subject: appended\n\none\n", b"Subject: another\n\nFrom here\n"):
            pair.append(directory, message)
    appended = pair.check()
    assert len(appended.messages) == len(after.messages) + 2
    assert set(after.unique_ids) < set(appended.unique_ids)
    pair.delete(range(len(after.messages)))
    assert len(pair.check().messages) == 2
    pair.delete((0, 1))
    assert pair.check().messages == []
