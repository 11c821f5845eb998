"""The spawner: hands sessions and deliveries to processes that have become their users.

It runs where the service was started by root. What it believes was never in a worker's hands:

* for a session a worker brings a ticket that the authenticator sealed after a login (``accounts.tickets``), which the
  worker cannot make;
* for a delivery, or the programs of one, a worker names an address. Whose it is the spawner looks up itself, in control
  files that belong to root, so that no worker chooses a uid or a home. That anybody may send mail to anybody is no
  secret.

Then the spawner passes the requester a socket to a mail process of that user (``serving.mail_processes``); the process
hears from the spawner whom it serves, and from the worker only the message.

Refused: a ticket that is not the authenticator's, is late or was used; an address that nobody has; uid 0, gid 0, and
every uid below the limit; any uid but our own when we are not root; more processes than the limits.

Mail processes outlive the spawner: they finish what they serve, and see from the closed control channel that there will
be no other.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from accounts.tickets import TicketError, open_ticket
from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.children import ChildContext, counters_report
from serving.mail_process import session_order
from serving.mail_processes import MailProcess, MailProcesses, MailProcessPlan, TooManyProcessesError
from serving.orders import Order
from serving.program_admission import ProgramAdmission, ProgramAdmissionSettings
from serving.program_slots import ProgramSlots
from spool.errors import SpoolError

LOOK_SECONDS: Final = 1.0  # how often ended processes are waited for and idle ones let go
# The kinds of processes, by what the names of their counters begin with.
_SESSIONS: Final = ""
_DELIVERIES: Final = "delivery_"
_PROGRAMS: Final = "program_"


@dataclass(frozen=True, slots=True)
class AddressedPlan:
    """What is needed for processes that an address is served by.

    ``resolve`` looks up whose an address is, and as whom that is served; it blocks shortly and raises a SpoolError.
    """

    processes: MailProcessPlan
    resolve: Callable[[str], Order]


@dataclass(frozen=True, slots=True)
class SpawnerPlan:
    """What the spawner may do.

    ``secret`` is the key of the tickets; ``clock`` is the clock they are dated by. ``deliveries`` are made as the
    users; ``programs`` of users who share a uid are run as another account, None if they are not run. ``admission`` is
    for the programs of both.
    """

    secret: bytearray = field(repr=False)
    sessions: MailProcessPlan
    deliveries: AddressedPlan
    admission: ProgramAdmissionSettings
    uid_min: int
    programs: AddressedPlan | None = None
    clock: Callable[[], float] = time.monotonic


class RefusedError(Exception):
    """A request is not granted; the text is for the requester's log."""


@dataclass(slots=True, eq=False)
class _Client:
    """A worker, or the authenticator.

    ``serving`` are the processes it was given, by its number of the request. While it ``reads_late``, answers wait.
    """

    channel: Channel
    serving: dict[int, tuple[MailProcesses, MailProcess]] = field(default_factory=dict)
    reads_late: bool = False


class Spawner:
    """The spawner's loop."""

    def __init__(self, plan: SpawnerPlan, child: ChildContext) -> None:
        self._plan = plan
        self._child = child
        self._selector = selectors.DefaultSelector()
        self._admission = ProgramAdmission(plan.admission, plan.clock)
        self._slots = ProgramSlots(self._admission, plan.clock)
        self._sessions = self._processes(plan.sessions, self._forget, _says_nothing_else)
        self._deliveries = self._processes(plan.deliveries.processes, self._delivered, self._slots.asked)
        self._kinds = {_SESSIONS: self._sessions, _DELIVERIES: self._deliveries}
        if plan.programs is not None:
            self._kinds[_PROGRAMS] = self._processes(plan.programs.processes, self._delivered, self._slots.asked)
        self._clients: set[_Client] = set()
        self._used: dict[bytes, float] = {}
        self._refused = 0
        self._end_at: float | None = None  # set while draining
        self._ended = False

    def _processes(
        self,
        plan: MailProcessPlan,
        freed: Callable[[MailProcess], None],
        asked: Callable[[MailProcess, Frame], None],
    ) -> MailProcesses:
        return MailProcesses(plan, self._plan.secret, self._selector, self._plan.clock, freed, asked)

    def run(self) -> int:
        """Serve until the supervisor is gone, or it drains and no client or no time is left; the exit status."""
        self._selector.register(self._child.control, selectors.EVENT_READ, self._on_control)
        self._child.report_ready()
        forget_at = 0.0
        while not self._ended and not self._drained():
            for key, _ in self._selector.select(LOOK_SECONDS):
                key.data()
            for processes in self._kinds.values():
                processes.look()
            if (now := self._plan.clock()) >= forget_at:
                forget_at = now + LOOK_SECONDS
                self._used = {nonce: expires for nonce, expires in self._used.items() if expires >= now}
        return 0

    def _drained(self) -> bool:
        return self._end_at is not None and (not self._clients or self._plan.clock() >= self._end_at)

    def _on_control(self) -> None:
        try:
            frames = self._child.control.receive_now()
        except ChannelError:
            self._ended = True
            return
        for frame in frames:
            match frame.message:
                case {"kind": "introduce"} if frame.descriptor is not None:
                    self._connect(socket.socket(fileno=frame.descriptor))
                case {"kind": "drain", "seconds": int(seconds) | float(seconds)}:
                    self._end_at = self._plan.clock() + seconds
                case {"kind": "count"}:
                    self._child.control.send(counters_report(self._counters()))
                case _:
                    frame.discard()

    def _counters(self) -> dict[str, int]:
        of_kinds = {
            f"{prefix}{name}": value
            for prefix, processes in self._kinds.items()
            for name, value in processes.counters().items()
        }
        return {**of_kinds, **self._admission.counters(), "refused": self._refused}

    def _connect(self, end: socket.socket) -> None:
        client = _Client(Channel(end))
        self._clients.add(client)
        self._selector.register(client.channel, selectors.EVENT_READ, lambda: self._on_client(client))

    def _on_client(self, client: _Client) -> None:
        """A client has asked something, is gone, or reads again."""
        try:
            frames = client.channel.receive_now()
            for frame in frames:  # all first: a bad one ends it, and the others' descriptors must not stay
                frame.discard()
            for frame in frames:
                self._on_request(client, frame)
            self._watch(client, told_all=client.channel.flush())
        except ChannelError:
            # Gone, or not one of ours any more. Its sessions end with its sockets; a delivery that hangs would not, and
            # nobody hears of it.
            self._clients.discard(client)
            self._selector.unregister(client.channel)
            client.channel.close()
            for processes, process in client.serving.values():
                if processes is not self._sessions:
                    processes.kill(process)

    def _watch(self, client: _Client, *, told_all: bool) -> None:
        if told_all is client.reads_late:
            client.reads_late = not told_all
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.reads_late else 0)
            self._selector.modify(client.channel, events, self._selector.get_key(client.channel).data)

    def _on_request(self, client: _Client, frame: Frame) -> None:
        number = frame.number("number")
        if frame.message.get("kill") is True:
            # Only what this client was given itself, and only while it serves that.
            if (serving := client.serving.get(number)) is not None:
                processes, process = serving
                processes.kill(process)
            return
        if number in client.serving:
            raise ChannelError("this number is taken")  # and the process that has it would outlive the client
        try:
            processes, order = self._understood(frame)
            near, far = socket_pair()
            with near, far:
                client.serving[number] = (processes, processes.serve(order, far))
                client.channel.send_soon(Frame({"number": number}, descriptor=near.fileno()))
        except (RefusedError, SpoolError) as error:
            self._refuse(client, number, error, full=False)
        except (TooManyProcessesError, OSError) as error:
            self._refuse(client, number, error, full=True)

    def _refuse(self, client: _Client, number: int, error: Exception, *, full: bool) -> None:
        self._refused += 1
        client.channel.send_soon(Frame({"number": number, "refused": str(error), "full": full}))

    def _understood(self, frame: Frame) -> tuple[MailProcesses, Order]:
        if "address" in frame.message:
            return self._deliveries, self._permitted(self._plan.deliveries.resolve(frame.text("address")))
        if "programs_of" in frame.message:
            if self._plan.programs is None:
                raise RefusedError("no account is set to run programs as")
            return self._kinds[_PROGRAMS], self._permitted(self._plan.programs.resolve(frame.text("programs_of")))
        return self._sessions, self._permitted(self._opened(frame.body))

    def _opened(self, ticket_octets: bytes) -> Order:
        try:
            ticket = open_ticket(self._plan.secret, ticket_octets, self._plan.clock())
        except TicketError as error:
            raise RefusedError(str(error)) from error
        if ticket.nonce in self._used:
            raise RefusedError("ticket used already")
        self._used[ticket.nonce] = ticket.expires
        return session_order(ticket.user, ticket.uid, ticket.gid, ticket.home)

    def _permitted(self, order: Order) -> Order:
        own = os.geteuid()
        if order.uid == 0 or order.uid < self._plan.uid_min or (own == 0 and order.gid == 0):
            raise RefusedError(f"uid {order.uid} gid {order.gid} is not a mail user's")
        if own not in (0, order.uid):
            raise RefusedError(f"not root: cannot become uid {order.uid}")
        return order

    def _delivered(self, process: MailProcess) -> None:
        self._slots.freed(process)
        self._forget(process)

    def _forget(self, process: MailProcess) -> None:
        for client in self._clients:
            client.serving = {number: given for number, given in client.serving.items() if given[1] is not process}


def _says_nothing_else(_process: MailProcess, _frame: Frame) -> None:
    raise ChannelError("not what a mail process says")


def run_spawner(plan: SpawnerPlan, child: ChildContext) -> int:
    """Be the spawner until the supervisor says otherwise."""
    return Spawner(plan, child).run()
