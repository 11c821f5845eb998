"""A supervisor with tiny roles, run as a program by test_supervisor.py; every event is one line on stdout."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from serving.channel import Channel, ChannelError, Frame
from serving.children import ChildContext, Role, counters_report, replacement_request
from serving.generations import SupervisorPlan
from serving.settings import InternetAddress
from serving.sockets import ListenerPlan
from serving.supervisor import Supervisor
from spool.errors import SettingsError


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class TinyWorker:
    """Accepts and answers with its process id; a connection that asks for it makes it want a successor."""

    def __init__(self, child: ChildContext) -> None:
        self.child = child
        self.connections = 0
        self.selector = selectors.DefaultSelector()

    def run(self) -> int:
        self.selector.register(self.child.control, selectors.EVENT_READ, self.on_control)
        for listener in self.child.listeners:
            self.selector.register(listener.socket, selectors.EVENT_READ, lambda it=listener: self.on_accept(it.socket))
        self.child.report_ready()
        while True:
            for key, _ in self.selector.select():
                if (status := key.data()) is not None:
                    say(self.child.role, "drained", os.getpid())
                    return int(status)

    def on_control(self) -> int | None:
        for frame in self.child.control.receive_now():
            match frame.text("kind"):
                case "drain":
                    return 0
                case "count":
                    self.child.control.send(counters_report({"connections": self.connections}))
                case "introduce":
                    self.on_introduction(frame)
                case other:
                    raise AssertionError(other)
        return None

    def on_introduction(self, frame: Frame) -> None:
        assert frame.descriptor is not None
        peer = Channel(socket.socket(fileno=frame.descriptor))
        with suppress(ChannelError):  # it may have ended
            peer.send(Frame({"from": self.child.role}))
        self.selector.register(peer, selectors.EVENT_READ, lambda: self.on_peer(peer))

    def on_peer(self, peer: Channel) -> None:
        try:
            frame = peer.receive()
        except ChannelError:
            frame = None
        if frame is None:
            self.selector.unregister(peer)
            say(self.child.role, "lost a peer")
        else:
            say(self.child.role, "hears", frame.text("from"))

    def on_accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return
        with connection:
            self.connections += 1
            if connection.recv(100) == b"replace":
                self.child.control.send(replacement_request("asked to"))
            connection.sendall(str(os.getpid()).encode())


def serve(child: ChildContext) -> int:
    return TinyWorker(child).run()


def refuse_to_start(child: ChildContext) -> int:
    return 3


def serve_unless_second(child: ChildContext) -> int:
    return 3 if child.serial == 2 else serve(child)


def serve_when_told(child: ChildContext) -> int:
    say("slow starts")
    while not Path(sys.argv[1]).with_name("go").exists():
        os.sched_yield()
    return serve(child)


def ignore_everything(child: ChildContext) -> int:
    say("stubborn is", os.getpid())  # status would wait a second for its counters
    child.report_ready()
    while True:
        signal.pause()


ROLES = {
    "worker": Role("worker", 1, serve, protocols=frozenset({"pop3"}), knows=frozenset({"oracle"})),
    "oracle": Role("oracle", 1, serve),
    "fussy": Role("fussy", 1, serve_unless_second, protocols=frozenset({"pop3"})),
    "slow": Role("slow", 1, serve_when_told),
    "failing": Role("failing", 1, refuse_to_start),
    "stubborn": Role("stubborn", 1, ignore_everything),
}


def read_plan(path: Path) -> SupervisorPlan:
    drain_seconds, *names = path.read_text().split()
    if "broken" in names:
        raise ZeroDivisionError
    if "wrong" in names:
        raise SettingsError("the plan is wrong")
    return SupervisorPlan(
        listeners=(ListenerPlan("pop3", InternetAddress("127.0.0.1", 0)),),
        roles=tuple(ROLES[name] for name in names if name in ROLES),
        drain_seconds=float(drain_seconds),
        status_path=path.with_name("moved.sock" if "elsewhere" in names else "status.sock"),
    )


def main() -> int:
    path = Path(sys.argv[1])
    supervisor = Supervisor(read_plan(path), reload=lambda: read_plan(path), announce=say)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
