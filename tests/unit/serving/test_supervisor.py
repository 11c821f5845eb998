"""The supervisor as a process of its own with tiny roles; nothing sleeps, everything waits for a line or for an end."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from serving.status import ask_status

SECONDS = 20.0


class Site:
    """A running supervisor: its lines, its address, its plan file."""

    def __init__(self, directory: Path, plan: str) -> None:
        self.plan = directory / "plan"
        self.status_path = directory / "status.sock"
        self.write(plan)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.serving.tiny_site", str(self.plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        self._lines = bytearray()
        self.seen: list[str] = []
        self.errors = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate(timeout=SECONDS)

    def write(self, plan: str) -> None:
        self.plan.write_text(plan)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line from now on, or not yet waited for, that matches."""
        assert self.process.stdout is not None
        while True:
            for line in self.seen:
                if match := re.fullmatch(pattern, line):
                    self.seen.remove(line)
                    return match
            assert select.select([self.process.stdout], [], [], SECONDS)[0], f"no {pattern!r} in time: {self.seen}"
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, f"ended before {pattern!r}: {self.seen}"
            self._lines += octets
            *lines, rest = self._lines.split(b"\n")
            self._lines = bytearray(rest)
            self.seen += [line.decode() for line in lines]

    def wait_for_error(self, pattern: bytes) -> None:
        assert self.process.stderr is not None
        octets = b""
        while not re.search(pattern, octets):
            assert select.select([self.process.stderr], [], [], SECONDS)[0], octets
            piece = os.read(self.process.stderr.fileno(), 65536)
            assert piece, octets
            octets += piece

    def ready(self) -> int:
        """Wait for the ready line; the port."""
        return int(self.wait_for(r"ready pop3=127\.0\.0\.1:(\d+)")[1])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; the exit status."""
        _, self.errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode

    def status(self) -> dict[str, Any]:
        return ask_status(self.status_path, timeout_seconds=SECONDS)

    def child(self, role: str) -> int:
        (pid,) = (child["pid"] for child in self.status()["children"] if child["role"] == role)
        assert isinstance(pid, int)
        return pid


def answer_of(port: int, question: bytes = b"who") -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(question)
        return int(connection.recv(100))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    sites: list[Site] = []

    def begin(plan: str) -> Site:
        sites.append(Site(tmp_path, plan).__enter__())
        return sites[-1]

    yield begin
    for site in sites:
        site.__exit__()


def test_ready_is_announced_with_addresses_once_a_worker_accepts(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    assert answer_of(site.ready()) == site.child("worker")


def test_children_of_roles_that_know_each_other_are_introduced_both_ways(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    site.wait_for("worker hears oracle")
    site.wait_for("oracle hears worker")


def test_sigterm_drains_and_exits_0(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    site.ready()
    site.signal(signal.SIGTERM)
    site.wait_for(r"worker drained \d+")
    assert site.end() == 0, site.errors
    assert not site.status_path.exists()


def test_a_killed_worker_is_replaced_and_introduced_again(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker, oracle = site.child("worker"), site.child("oracle")
    site.wait_for("oracle hears worker")
    os.kill(worker, signal.SIGKILL)
    site.wait_for("oracle hears worker")
    assert answer_of(port) == site.child("worker") != worker
    assert site.child("oracle") == oracle
    assert site.status()["restarts"] == {"worker": 1, "oracle": 0}


def test_a_killed_oracle_is_replaced_while_the_worker_goes_on(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    site.ready()
    worker = site.child("worker")
    site.wait_for("worker hears oracle")
    os.kill(site.child("oracle"), signal.SIGKILL)
    site.wait_for("worker lost a peer")
    site.wait_for("worker hears oracle")
    assert site.child("worker") == worker


def test_a_child_that_dies_before_it_is_ready_fails_the_start(start: Callable[[str], Site]) -> None:
    site = start("5 worker failing")
    assert site.end() == 1
    assert b"cannot start: failing ended before it was ready" in site.errors


def test_a_reload_replaces_all_children_and_keeps_the_socket(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker = site.child("worker")
    site.signal(signal.SIGHUP)
    site.wait_for(f"worker drained {worker}")
    assert answer_of(port) != worker


def test_a_reload_with_wrong_settings_keeps_the_old_and_says_why(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker = site.child("worker")
    site.write("5 wrong")
    site.signal(signal.SIGHUP)
    site.wait_for_error(b"reload refused, going on as before: the plan is wrong")
    assert answer_of(port) == worker


def test_a_reload_whose_children_fail_keeps_the_old(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker = site.child("worker")
    site.write("5 worker oracle failing")
    site.signal(signal.SIGHUP)
    site.wait_for_error(b"reload failed, going on as before: failing ended before it was ready")
    assert answer_of(port) == worker


def test_a_worker_that_asks_for_a_successor_drains_once_that_is_ready(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker = site.child("worker")
    assert answer_of(port, b"replace") == worker
    site.wait_for(f"worker drained {worker}")
    assert answer_of(port) != worker


def test_a_child_that_ignores_the_drain_is_killed(start: Callable[[str], Site]) -> None:
    site = start("0 worker stubborn")
    site.ready()
    stubborn = site.child("stubborn")
    watched = os.pidfd_open(stubborn)
    site.signal(signal.SIGTERM)
    assert select.select([watched], [], [], SECONDS)[0]
    os.close(watched)
    assert site.end() == 0, site.errors


def test_a_second_sigterm_ends_at_once(start: Callable[[str], Site]) -> None:
    site = start("3600 worker stubborn")
    site.ready()
    site.signal(signal.SIGTERM)
    site.wait_for(r"worker drained \d+")
    site.signal(signal.SIGTERM)
    assert site.end() == 0, site.errors


def test_no_child_outlives_a_killed_supervisor(start: Callable[[str], Site]) -> None:
    site = start("5 worker stubborn")
    site.ready()
    watched = [os.pidfd_open(child["pid"]) for child in site.status()["children"]]
    assert len(watched) == 2
    site.process.kill()
    for descriptor in watched:
        assert select.select([descriptor], [], [], SECONDS)[0]
        os.close(descriptor)


def test_status_tells_what_runs_and_the_counters_of_each_child(start: Callable[[str], Site]) -> None:
    site = start("5 worker")
    port = site.ready()
    answer_of(port)
    status = site.status()
    assert status["listeners"] == [f"pop3=127.0.0.1:{port}"]
    assert [(child["role"], child["state"], child["counters"]) for child in status["children"]] == [
        ("worker", "ready", {"connections": 1})
    ]


def test_a_child_that_keeps_dying_is_replaced_with_growing_delays(start: Callable[[str], Site]) -> None:
    site = start("5 worker")
    port = site.ready()
    for _ in range(3):
        os.kill(answer_of(port), signal.SIGKILL)
    assert answer_of(port) == site.child("worker")
    assert site.status()["restarts"] == {"worker": 3}
