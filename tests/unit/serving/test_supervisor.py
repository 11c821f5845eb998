"""The supervisor as a process of its own with tiny roles; nothing sleeps, everything waits for a line or for an end."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.serving.site import SECONDS, Site


def answer_of(port: int, question: bytes = b"who") -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(question)
        return int(connection.recv(100))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    sites: list[Site] = []

    def begin(plan: str) -> Site:
        sites.append(Site("tiny_site", tmp_path, plan))
        return sites[-1]

    yield begin
    for site in sites:
        site.close()


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


def test_a_reload_that_fails_by_an_unforeseen_error_keeps_the_old(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    port = site.ready()
    worker = site.child("worker")
    site.write("5 worker broken")
    site.signal(signal.SIGHUP)
    site.wait_for_error(b"ZeroDivisionError")
    assert answer_of(port) == worker


def test_a_reload_that_is_asked_for_during_another_one_follows_it(start: Callable[[str], Site]) -> None:
    site = start("5 worker")
    port = site.ready()
    worker = site.child("worker")
    site.write("5 worker slow")
    site.signal(signal.SIGHUP)
    site.wait_for("slow starts")
    site.write("5 worker oracle")
    site.signal(signal.SIGHUP)
    (site.plan.parent / "go").touch()
    site.wait_for("oracle hears worker")
    assert answer_of(port) != worker


def test_a_reload_may_move_the_status_socket(start: Callable[[str], Site]) -> None:
    site = start("5 worker")
    site.ready()
    worker = site.child("worker")
    site.write("5 worker elsewhere")
    site.signal(signal.SIGHUP)
    site.wait_for(f"worker drained {worker}")
    before, site.status_path = site.status_path, site.status_path.with_name("moved.sock")
    assert site.child("worker") != worker
    assert not before.exists()


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


def test_a_successor_that_fails_is_tried_again(start: Callable[[str], Site]) -> None:
    site = start("5 fussy")
    port = site.ready()
    first = site.child("fussy")
    assert answer_of(port, b"replace") == first
    site.wait_for(f"fussy drained {first}")
    assert answer_of(port) != first


def test_a_signal_to_the_whole_group_is_the_supervisors_to_act_on(start: Callable[[str], Site]) -> None:
    site = start("5 worker oracle")
    site.ready()
    site.signal_all(signal.SIGTERM)
    site.wait_for(r"worker drained \d+")
    assert site.end() == 0
    assert site.errors == b""


def test_a_child_that_ignores_the_drain_is_killed(start: Callable[[str], Site]) -> None:
    site = start("0 worker stubborn")
    site.ready()
    watched = os.pidfd_open(int(site.wait_for(r"stubborn is (\d+)")[1]))
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
    pids = [answer_of(site.ready()), int(site.wait_for(r"stubborn is (\d+)")[1])]
    watched = [os.pidfd_open(pid) for pid in pids]
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
    for _ in range(2):
        os.kill(answer_of(port), signal.SIGKILL)
    assert answer_of(port) == site.child("worker")
    assert site.status()["restarts"] == {"worker": 2}
