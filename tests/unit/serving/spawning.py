"""A real spawner in a child process, and its clients, for tests here and in tests/root."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from accounts.tickets import KEY_OCTETS, LIFETIME_SECONDS, Ticket, seal
from serving.channel import Channel, Frame, socket_pair
from serving.children import COUNT, READY, Child, Role, fork_child, introduction
from serving.mail_processes import DELIVERY_LIMITS, MailProcessPlan
from serving.orders import Order
from serving.program_admission import ProgramAdmissionSettings
from serving.spawner import AddressedPlan, SpawnerPlan, run_spawner
from spool.errors import NoSuchUserError
from spool.names import UserName

KEY = bytes(range(KEY_OCTETS))
MAIL_UID = os.getuid() or 54321
MAIL_GID = os.getgid() or 54321


def ticket(
    uid: int = MAIL_UID,
    gid: int = MAIL_GID,
    *,
    home: str = "/nowhere",
    nonce: bytes | None = None,
    key: bytes = KEY,
    lifetime_seconds: float = LIFETIME_SECONDS - 1,
) -> bytes:
    sealed = Ticket(
        UserName("fred"), uid, gid, Path(home), time.monotonic() + lifetime_seconds, nonce or os.urandom(16)
    )
    return seal(key, sealed)


def address_of(address: str) -> Order:
    """Users are called by their addresses; ``root`` is one, and ``nobody`` is not."""
    if address == "nobody":
        raise NoSuchUserError("nobody")
    uid, gid = (0, 0) if address == "root" else (MAIL_UID, MAIL_GID)
    return Order(UserName(address), uid, gid, {"user": address}, programs=1)


class SpawnerClient:
    """Asks one request at a time, waiting."""

    def __init__(self, end: socket.socket) -> None:
        self.channel = Channel(end)
        self.number = 0

    def ask(self, octets: bytes) -> Channel | str:
        """A channel to a mail process, or why not."""
        return self._ask(Frame({"number": self.number + 1}, octets))

    def _ask(self, request: Frame) -> Channel | str:
        self.number += 1
        self.channel.send(request)
        answer = self.channel.receive()
        assert answer is not None
        assert answer.number("number") == self.number
        if answer.descriptor is None:
            return answer.text("refused")
        return Channel(socket.socket(fileno=answer.descriptor))

    def delivery(self, address: str) -> Channel | str:
        """A channel to a delivery process, or why not."""
        return self._ask(Frame({"number": self.number + 1, "address": address}))

    def programs(self, address: str) -> Channel | str:
        """A channel to a process that runs an address's programs, or why not."""
        return self._ask(Frame({"number": self.number + 1, "programs_of": address}))

    def session(self, octets: bytes) -> Channel:
        found = self.ask(octets)
        assert isinstance(found, Channel), found
        return found

    def kill(self, number: int) -> None:
        self.channel.send(Frame({"number": number, "kill": True}))


class RunningSpawner:
    """A spawner whose mail processes live as ``run`` says."""

    def __init__(
        self,
        run: Callable[[Channel], int],
        *,
        uid_min: int = 1,
        processes_max: int = 100,
        processes_per_user_max: int = 10,
        idle_seconds: float = 60.0,
        deliver: Callable[[Channel], int] = lambda _: 0,
        resolve: Callable[[str], Order] = address_of,
        run_programs: Callable[[Channel], int] | None = None,
    ) -> None:
        sessions = MailProcessPlan(
            "mail",
            run,
            processes_max=processes_max,
            processes_per_user_max=processes_per_user_max,
            idle_seconds=idle_seconds,
        )
        deliveries = AddressedPlan(MailProcessPlan("delivery", deliver, DELIVERY_LIMITS, idle_max=1), resolve)
        programs = run_programs and AddressedPlan(MailProcessPlan("program", run_programs, DELIVERY_LIMITS), resolve)
        plan = SpawnerPlan(
            bytearray(KEY), sessions, deliveries, ProgramAdmissionSettings(slots=1), uid_min, programs or None
        )
        role = Role("spawner", 1, partial(run_spawner, plan))
        self.child: Child = fork_child(role, 1, (), 0.0)
        assert self.child.control.receive() == READY

    def connect(self) -> SpawnerClient:
        ours, theirs = socket_pair()
        with theirs:
            self.child.control.send(introduction("worker", 1, theirs.fileno()))
        return SpawnerClient(ours)

    def counters(self) -> dict[str, int]:
        self.child.control.send(COUNT)
        answer = self.child.control.receive()
        assert answer is not None
        return dict(answer.message["counters"])

    def wait_for(self, condition: Callable[[dict[str, int]], bool]) -> None:
        """Count until the condition holds."""
        end = time.monotonic() + 20
        while not condition(counters := self.counters()):
            assert time.monotonic() < end, counters

    def close(self) -> None:
        self.child.control.close()
        self.child.signal(signal.SIGKILL)
        os.waitpid(self.child.pid, 0)
