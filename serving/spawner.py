"""The spawner: hands sessions to processes that have become their users. Root where users have many uids.

A request is a ticket that the authenticator sealed after a login (``accounts.tickets``), carried by a worker that
cannot make one. For a good one the spawner passes the requester a socket to a mail process of that user
(``serving.mail_processes``). It opens no file and looks no name up.

Refused: a ticket that is not the authenticator's, is late or was used; uid 0, gid 0, and every uid below the limit; any
uid but our own when we are not root; more processes than the limits.

Mail processes outlive the spawner: they finish their sessions, and see from the closed control channel that there will
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

from accounts.tickets import Ticket, TicketError, open_ticket
from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.children import ChildContext, counters_report
from serving.mail_processes import MailProcess, MailProcesses, MailProcessPlan, TooManyProcessesError

LOOK_SECONDS: Final = 1.0  # how often ended processes are waited for and idle ones let go


@dataclass(frozen=True, slots=True)
class SpawnerPlan:
    """What the spawner may do. ``mail.secret`` is the key of the tickets; ``clock`` is the clock they are dated by."""

    mail: MailProcessPlan
    uid_min: int
    clock: Callable[[], float] = time.monotonic


class RefusedError(Exception):
    """A request is not granted; the text is for the requester's log."""


@dataclass(slots=True, eq=False)
class _Client:
    """A worker, or the authenticator.

    ``serving`` are the processes it was given, by its number of the request. While it ``reads_late``, answers wait.
    """

    channel: Channel
    serving: dict[int, MailProcess] = field(default_factory=dict)
    reads_late: bool = False


class Spawner:
    """The spawner's loop."""

    def __init__(self, plan: SpawnerPlan, child: ChildContext) -> None:
        self._plan = plan
        self._child = child
        self._selector = selectors.DefaultSelector()
        self._processes = MailProcesses(plan.mail, self._selector, plan.clock, self._forget)
        self._clients: set[_Client] = set()
        self._used: dict[bytes, float] = {}
        self._refused = 0
        self._end_at: float | None = None  # set while draining
        self._ended = False

    def run(self) -> int:
        """Serve until the supervisor is gone, or it drains and no client or no time is left; the exit status."""
        self._selector.register(self._child.control, selectors.EVENT_READ, self._on_control)
        self._child.report_ready()
        forget_at = 0.0
        while not self._ended and not self._drained():
            for key, _ in self._selector.select(LOOK_SECONDS):
                key.data()
            self._processes.look()
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
                    counters = {**self._processes.counters(), "refused": self._refused}
                    self._child.control.send(counters_report(counters))
                case _:
                    frame.discard()

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
            # Gone, or not one of ours any more. Its sessions end with its sockets.
            self._clients.discard(client)
            self._selector.unregister(client.channel)
            client.channel.close()

    def _watch(self, client: _Client, *, told_all: bool) -> None:
        if told_all is client.reads_late:
            client.reads_late = not told_all
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.reads_late else 0)
            self._selector.modify(client.channel, events, self._selector.get_key(client.channel).data)

    def _on_request(self, client: _Client, frame: Frame) -> None:
        number = frame.number("number")
        if frame.message.get("kill") is True:
            # Only what this client was given itself, and only while it serves that.
            if (process := client.serving.get(number)) is not None:
                self._processes.kill(process)
            return
        try:
            ticket = self._open(frame.body)
            near, far = socket_pair()
            with near, far:
                client.serving[number] = self._processes.serve(ticket, far)
                client.channel.send_soon(Frame({"number": number}, descriptor=near.fileno()))
        except (RefusedError, TooManyProcessesError, OSError) as error:
            self._refused += 1
            client.channel.send_soon(Frame({"number": number, "refused": str(error)}))

    def _open(self, octets: bytes) -> Ticket:
        try:
            ticket = open_ticket(self._plan.mail.secret, octets, self._plan.clock())
        except TicketError as error:
            raise RefusedError(str(error)) from error
        if ticket.nonce in self._used:
            raise RefusedError("ticket used already")
        self._used[ticket.nonce] = ticket.expires
        own = os.geteuid()
        if ticket.uid == 0 or ticket.uid < self._plan.uid_min or (own == 0 and ticket.gid == 0):
            raise RefusedError(f"uid {ticket.uid} gid {ticket.gid} is not a mail user's")
        if own not in (0, ticket.uid):
            raise RefusedError(f"not root: cannot become uid {ticket.uid}")
        return ticket

    def _forget(self, process: MailProcess) -> None:
        for client in self._clients:
            client.serving = {number: given for number, given in client.serving.items() if given is not process}


def run_spawner(plan: SpawnerPlan, child: ChildContext) -> int:
    """Be the spawner until the supervisor says otherwise."""
    return Spawner(plan, child).run()
