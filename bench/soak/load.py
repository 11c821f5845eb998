"""The load: threads that send by LMTP, as a mail transport does, and threads that read by POP3, as users do."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.soak.ledger import Ledger
from bench.soak.messages import message, number_of
from tests.interop.wire import ConnectionEndedError, Wire

ANSWER_SECONDS = 60.0
RETRY_SECONDS = 0.5
NOT_IN_TIME = b"451 4.4.2"  # it may still be delivered

Address: TypeAlias = tuple[str, int] | Path
BROKEN = (OSError, ConnectionEndedError, TimeoutError)


@dataclass(frozen=True)
class Load:
    """What all threads share. ``ending`` stops new work; what was begun is finished."""

    ledger: Ledger
    users: Sequence[str]
    numbers: itertools.count[int]
    ending: threading.Event
    pause: float


class Sender(threading.Thread):
    """Sends message after message over one connection, each to one to three users, until everybody has it."""

    def __init__(self, load: Load, address: Address) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._address = address
        self._wire: _Lmtp | None = None
        self._chance = random.Random()

    def run(self) -> None:
        while not self._load.ending.wait(self._load.pause * 2 * self._chance.random()):
            number = next(self._load.numbers)
            users = self._chance.sample(self._load.users, self._chance.choice((1, 1, 2, 3)))
            while users and (users := self._attempt(number, users)):
                self._load.ledger.count("sent again")
                time.sleep(RETRY_SECONDS)

    def _attempt(self, number: int, users: list[str]) -> list[str]:
        """Try once; who still needs it."""
        ledger, undecided, refused = self._load.ledger, list(users), []
        sending = False
        try:
            if self._wire is None:
                self._wire = _Lmtp(self._address)
            accepted = self._wire.begin(users)
            refused = [user for user in users if user not in accepted]
            undecided = list(accepted)
            if accepted:
                sending = True
                self._wire.content(message(number))
            for user in accepted:
                reply = self._wire.reply()
                undecided.remove(user)
                if reply.startswith(b"250"):
                    ledger.acknowledged(user, number)
                elif reply.startswith(NOT_IN_TIME):
                    ledger.doubtful(user, number)
                    refused.append(user)
                else:
                    ledger.refused(user, number)
                    ledger.count(f"reply {reply[:9].decode()}")
                    refused.append(user)
        except BROKEN:
            ledger.count("LMTP connections broken")
            for user in undecided:
                (ledger.doubtful if sending else ledger.refused)(user, number)
            refused += undecided
            if self._wire is not None:
                self._wire.close()
            self._wire = None
        return refused


class _Lmtp:
    def __init__(self, address: Address) -> None:
        if isinstance(address, Path):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(ANSWER_SECONDS)
            self._socket.connect(str(address))
        else:
            self._socket = socket.create_connection(address, ANSWER_SECONDS)
        self._lines = self._socket.makefile("rb")
        self._expect(b"220")
        self._send(b"LHLO soak.example")
        self._expect(b"250")

    def begin(self, users: Sequence[str]) -> list[str]:
        """Name the recipients; who was accepted. The message is to follow if anybody was."""
        commands = [b"RCPT TO:<%s>" % user.encode() for user in users]
        self._send(b"MAIL FROM:<sender@example.org>", *commands)
        self._expect(b"250")
        accepted = [user for user in users if self.reply().startswith(b"250")]
        if accepted:
            self._send(b"DATA")
            self._expect(b"354")
        else:
            self._send(b"RSET")
            self._expect(b"250")
        return accepted

    def content(self, octets: bytes) -> None:
        """Send the message."""
        self._socket.sendall((b"\n" + octets).replace(b"\n.", b"\n..")[1:] + b".\r\n")

    def reply(self) -> bytes:
        """The last line of the next reply."""
        while True:
            line: bytes = self._lines.readline()
            if not line.endswith(b"\r\n") or line.startswith(b"421"):
                raise ConnectionError("closed")
            if line[3:4] != b"-":
                return line

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _send(self, *commands: bytes) -> None:
        self._socket.sendall(b"".join(command + b"\r\n" for command in commands))

    def _expect(self, code: bytes) -> None:
        if not (reply := self.reply()).startswith(code):
            raise ConnectionError(f"expected {code!r}, found {reply!r}")


class Reader(threading.Thread):
    """Users who log in one after the other, read what is new to them, and delete most of it."""

    def __init__(self, load: Load, address: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._address = address
        self._chance = random.Random()

    def run(self) -> None:
        while not self._load.ending.wait(self._load.pause * 2 * self._chance.random()):
            read(self._load.ledger, self._address, self._chance.choice(self._load.users), self._chance)


def read(ledger: Ledger, address: tuple[str, int], user: str, chance: random.Random | None) -> list[str] | None:
    """One session; without ``chance`` everything is read and nothing deleted.

    Returns:
        The unique-ids that were there; None where the session broke or did not begin.
    """
    try:
        with Wire(address, seconds=ANSWER_SECONDS) as wire:
            answer = wire.login(user)
            if not answer.startswith(b"+OK"):
                ledger.count(f"login {answer.split(b']')[0].decode()}]")
                return None
            ledger.count("sessions")
            unique_ids = [line.split()[1].decode() for line in wire.many("UIDL").splitlines()]
            deleted = []
            for index, unique_id in enumerate(unique_ids):
                if chance is not None and chance.random() < 0.2:
                    continue
                octets = wire.many(f"RETR {index + 1}")
                number = number_of(octets)
                if number is None:
                    ledger.damaged(user, unique_id, octets)
                    continue
                ledger.seen(user, unique_id, number)
                if chance is not None and chance.random() < 0.8:
                    wire.ok(f"DELE {index + 1}")
                    deleted.append(unique_id)
            if chance is not None and chance.random() < 0.1:
                ledger.count("sessions left without QUIT")
                return unique_ids
            _quit(ledger, wire, user, deleted)
            return unique_ids
    except (*BROKEN, AssertionError) as error:  # an -ERR where +OK was expected is how a session breaks, too
        ledger.count(f"POP3 sessions broken: {type(error).__name__}")
        return None


def _quit(ledger: Ledger, wire: Wire, user: str, deleted: Sequence[str]) -> None:
    certain = False
    try:
        certain = wire.ask("QUIT").startswith(b"+OK")
    finally:
        ledger.removed(user, deleted, certain=certain)
