"""Supervisor, authenticator shell and workers together, around a tiny engine and a tiny protocol."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.unit.serving.site import SECONDS, Site


class Client:
    """One connection to a site; lines with CRLF."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self._socket.settimeout(SECONDS)
        self._socket.connect(address)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        self.worker = int(self.line())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def line(self) -> bytes:
        return self._file.readline().removesuffix(b"\r\n")

    def ask(self, line: bytes) -> bytes:
        self._socket.sendall(line + b"\r\n")
        return self.line()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    sites: list[Site] = []

    def begin(plan: str) -> Site:
        sites.append(Site("echo_site", tmp_path, plan))
        return sites[-1]

    yield begin
    for site in sites:
        site.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address of one site, for tests that leave it as it was: starting one takes most of a second."""
    site = Site("echo_site", tmp_path_factory.mktemp("shared"), "5 1 100")
    yield address_of(site)
    site.close()


def address_of(site: Site) -> tuple[str, int]:
    return "127.0.0.1", int(site.wait_for(r"ready pop3=127\.0\.0\.1:(\d+) pop3=unix:.*")[1])


def answer_of_another(worker: int, address: str) -> bytes:
    """Log in at another worker than this one, which may still take a connection before it drains."""
    while True:
        client = Client(address)
        first = client.line()
        if first and int(first) != worker:
            answer = client.ask(b"fred open")
            client.close()
            return answer
        client.close()


def test_a_login_crosses_to_the_authenticator_and_back(shared: tuple[str, int]) -> None:
    with Client(shared) as client:
        assert client.ask(b"fred open") == b"granted"
        assert client.ask(b"fred shut") == b"credentials"


@pytest.mark.parametrize("name", [b"hash", b"program"])
def test_slow_checks_are_made_in_other_processes(shared: tuple[str, int], name: bytes) -> None:
    with Client(shared) as client:
        assert client.ask(name + b" open") == b"granted"
        assert client.ask(name + b" shut") == b"credentials"


def test_a_check_that_does_not_end_is_killed_and_answered_as_temporary(shared: tuple[str, int]) -> None:
    with Client(shared) as client:
        assert client.ask(b"sleep now") == b"temporary"


def test_an_engine_that_fails_is_answered_as_temporary_and_goes_on(shared: tuple[str, int]) -> None:
    with Client(shared) as client:
        assert client.ask(b"break it") == b"temporary"
        assert client.ask(b"fred open") == b"granted"


def test_a_killed_authenticator_is_replaced_while_sessions_go_on(start: Callable[[str], Site]) -> None:
    site = start("5 1 100")
    with Client(address_of(site)) as client:
        authenticator = site.child("authenticator")
        os.kill(authenticator, signal.SIGKILL)
        while client.ask(b"fred open") != b"granted":
            assert client.worker == site.child("worker")
        assert site.child("authenticator") != authenticator


def test_a_killed_worker_frees_what_it_held_in_the_authenticator(start: Callable[[str], Site]) -> None:
    site = start("5 1 100")
    address = address_of(site)
    os.kill(site.child("worker"), signal.SIGKILL)
    site.wait_for("engine: client gone")
    with Client(address) as client:
        assert client.ask(b"fred open") == b"granted"


def test_a_killed_worker_leaves_the_sessions_of_the_other(start: Callable[[str], Site]) -> None:
    address = address_of(start("5 2 1"))
    with Client(address) as first, Client(address) as second:
        assert first.worker != second.worker
        os.kill(first.worker, signal.SIGKILL)
        assert first.line() == b""
        assert second.ask(b"fred open") == b"granted"


def test_connections_over_the_limit_wait_until_one_ends(start: Callable[[str], Site]) -> None:
    address = address_of(start("5 1 1"))
    with Client(address) as first:
        waiting = Client(address)
        assert not select.select([waiting._socket], [], [], 0.0)[0]
        assert first.ask(b"fred open") == b"granted"
    with waiting:
        assert waiting.ask(b"fred open") == b"granted"


def test_a_drain_closes_what_is_not_logged_in_and_lets_the_others_finish(start: Callable[[str], Site]) -> None:
    site = start("3600 1 100")
    address = address_of(site)
    with Client(address) as waiting, Client(address) as staying:
        assert staying.ask(b"stay") == b"stays"
        site.signal(signal.SIGTERM)
        assert waiting.line() == b""
        with pytest.raises(ConnectionRefusedError):
            Client(address)
        assert staying.ask(b"stay") == b"stays"
    assert site.end() == 0, site.errors


def test_a_drain_ends_when_its_time_is_up(start: Callable[[str], Site]) -> None:
    site = start("0.2 1 100")
    with Client(address_of(site)) as staying:
        assert staying.ask(b"stay") == b"stays"
        site.signal(signal.SIGTERM)
        assert staying.line() == b""
    assert site.end() == 0, site.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_drains_quietly(start: Callable[[str], Site], number: signal.Signals) -> None:
    site = start("3600 2 100")
    address = address_of(site)
    with Client(address) as waiting, Client(address) as staying:
        assert staying.ask(b"stay") == b"stays"
        site.signal_all(number)
        assert waiting.line() == b""
        assert staying.ask(b"stay") == b"stays"
    assert site.end() == 0
    assert site.errors == b""


def test_a_worker_that_is_sent_sigterm_alone_is_exchanged_and_its_sessions_go_on(start: Callable[[str], Site]) -> None:
    site = start("3600 1 100")
    address = address_of(site)
    with Client(address) as waiting, Client(address) as staying:
        assert staying.ask(b"stay") == b"stays"
        os.kill(staying.worker, signal.SIGTERM)
        site.wait_for_error(b"asks for a successor: it was sent SIGTERM")
        assert waiting.line() == b""  # its worker has stopped listening
        assert answer_of_another(staying.worker, str(site.plan.with_name("pop3.sock"))) == b"granted"
        assert staying.ask(b"stay") == b"stays"


def test_a_reload_keeps_sessions_and_the_unix_socket(start: Callable[[str], Site], tmp_path: Path) -> None:
    site = start("3600 1 100")
    address = address_of(site)
    with Client(address) as waiting, Client(address) as staying:
        assert staying.ask(b"stay") == b"stays"
        site.signal(signal.SIGHUP)
        site.wait_for_error(b"reloaded")
        assert waiting.line() == b""  # its worker has stopped listening
        assert staying.ask(b"stay") == b"stays"
        assert answer_of_another(staying.worker, str(tmp_path / "pop3.sock")) == b"granted"


def test_no_process_outlives_a_killed_supervisor(start: Callable[[str], Site]) -> None:
    site = start("3600 1 100")
    with Client(address_of(site)) as client:
        watched = [os.pidfd_open(child["pid"]) for child in site.status()["children"]]
        site.process.kill()
        assert client.line() == b""
        for descriptor in watched:
            assert select.select([descriptor], [], [], SECONDS)[0]
            os.close(descriptor)


def test_status_shows_the_counters_of_worker_and_authenticator(start: Callable[[str], Site]) -> None:
    site = start("5 1 100")
    with Client(address_of(site)) as client:
        client.ask(b"fred open")
        counters = {child["role"]: child["counters"] for child in site.status()["children"]}
    assert counters["worker"] == {"open_sessions": 1, "staying": 0}
    assert counters["authenticator"] == {"requests": 1, "workers": 1, "checks_waiting": 0, "programs_running": 0}
