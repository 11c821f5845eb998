"""A supervisor with a real authenticator shell and real workers around a tiny engine and a tiny protocol.

Lines ``NAME PASSWORD`` are answered ``granted``, ``challenge`` or the reason of refusal; ``hash`` as name has the
password checked in a hasher, ``sleep`` in one that never ends, ``program`` by a program.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineOnlyReceiver

from accounts.attempts import Pending
from accounts.authenticator import Authenticator, Decision
from accounts.checks import CheckOutcome, CheckResult, ExternalCheck, Verification
from accounts.requests import (
    AuthAnswer,
    AuthRequest,
    Challenge,
    Granted,
    Offer,
    PasswordRequest,
    Peer,
    RefusalReason,
    Refused,
)
from serving.authenticator_shell import AuthenticatorParts, run_authenticator
from serving.check_runner import CheckLimits, CheckRunner
from serving.children import Role
from serving.generations import SupervisorPlan
from serving.settings import InternetAddress, UnixAddress
from serving.sockets import ListenerPlan
from serving.supervisor import Supervisor
from serving.worker import Service, WorkerContext, WorkerParts, run_worker
from spool.names import UserName
from tests.unit.serving.tiny_site import say

GRANTED = Granted(UserName("fred"), os.getuid(), os.getgid(), Path("/nowhere"))


class TinyEngine:
    """Knows the password ``open`` and forgets nothing."""

    def offer(self) -> Offer:
        return Offer(("PLAIN",), apop=False)

    def receive(self, client_id: int, request: AuthRequest, now: float) -> Decision:
        match request:
            case PasswordRequest(name=b"hash", password=password):
                return Pending(1, Verification(("{PLAIN}open",), password, "PLAIN"))
            case PasswordRequest(name=b"program", password=password):
                return Pending(1, ExternalCheck(("/bin/sh", "-c", 'read word <&3; test "$word" = open'), password))
            case PasswordRequest(name=b"sleep"):
                return Pending(1, ExternalCheck(("/bin/sleep", "1000"), b""))
            case PasswordRequest(name=b"break"):
                raise RuntimeError("the engine is broken")
            case PasswordRequest(password=b"open"):
                return GRANTED
            case _:
                return Refused(RefusalReason.CREDENTIALS)

    def finish(self, token: int, outcome: CheckOutcome, now: float) -> Decision:
        match outcome:
            case CheckResult.RIGHT:
                return GRANTED
            case CheckResult.WRONG:
                return Refused(RefusalReason.CREDENTIALS)
            case _:
                return Refused(RefusalReason.TEMPORARY)

    def client_gone(self, client_id: int) -> None:
        say("engine: client gone")


class Lines(LineOnlyReceiver):
    def __init__(self, service: LinesFactory) -> None:
        self.service = service

    def connectionMade(self) -> None:  # noqa: N802
        self.say(str(os.getpid()).encode())

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        name, _, password = line.partition(b" ")
        if name == b"stay":
            self.service.open.discard(self)
            self.service.staying.add(self)
            self.say(b"stays")
            return
        peer = Peer("127.0.0.1", 1)
        self.service.context.authentication.ask(PasswordRequest(peer, name, password)).addCallback(self.answer)

    def say(self, line: bytes) -> None:
        assert self.transport is not None
        self.transport.write(line + b"\r\n")

    def answer(self, answer: AuthAnswer) -> None:
        match answer:
            case Granted():
                self.say(b"granted")
            case Refused(reason=reason):
                self.say(reason.value.encode())
            case Challenge():
                self.say(b"challenge")

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        self.service.open.discard(self)
        self.service.staying.discard(self)


class LinesFactory(ServerFactory):
    noisy = False

    def __init__(self, context: WorkerContext) -> None:
        self.context = context
        self.open: set[Lines] = set()
        self.staying: set[Lines] = set()

    def buildProtocol(self, addr: IAddress | None) -> Lines:  # noqa: N802
        protocol = Lines(self)
        self.open.add(protocol)
        return protocol

    def drain(self) -> None:
        for protocol in tuple(self.open):
            assert protocol.transport is not None
            protocol.transport.loseConnection()


def build_worker(context: WorkerContext) -> WorkerParts:
    factory = LinesFactory(context)
    return WorkerParts(
        builders={"pop3": lambda plan: Service(factory, factory.drain)},
        open_sessions=lambda: len(factory.open) + len(factory.staying),
        introduced=lambda role, end: end.close(),
        counters=lambda: {"staying": len(factory.staying)},
    )


def build_authenticator(reactor: Any) -> AuthenticatorParts:
    limits = CheckLimits(hashers=1, waiting_max=2, check_seconds=1.0, programs_max=2)
    runner = CheckRunner(reactor, limits, None, spool_root=Path("/spool"))
    return AuthenticatorParts(cast("Authenticator", TinyEngine()), runner, lambda end: end.close())


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    path = Path(sys.argv[1])
    drain_seconds, workers, connections_max = path.read_text().split()
    plan = SupervisorPlan(
        listeners=(
            ListenerPlan("pop3", InternetAddress("127.0.0.1", 0)),
            ListenerPlan("pop3", UnixAddress(path.with_name("pop3.sock"))),
        ),
        roles=(
            Role("authenticator", 1, partial(run_authenticator, build_authenticator, time.monotonic)),
            Role(
                "worker",
                int(workers),
                partial(run_worker, build_worker, int(connections_max)),
                protocols=frozenset({"pop3"}),
                knows=frozenset({"authenticator"}),
            ),
        ),
        drain_seconds=float(drain_seconds),
        status_path=path.with_name("status.sock"),
    )
    return Supervisor(plan, reload=lambda: plan, announce=say).run()


if __name__ == "__main__":
    sys.exit(main())
