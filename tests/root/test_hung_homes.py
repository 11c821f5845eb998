"""Thirty users whose homes hang and who poll every second do not hold up the others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bench.hung_file_system import can_hang, hung_file_system
from serving.settings import LimitsSettings
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need
from tests.interop.running import counters, pids, status, wait_until
from tests.interop.wire import ConnectionEndedError, Wire
from tests.root.uids import add_users, new_user

HUNG: Final = 30
HEALTHY: Final = 5
OPERATION_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = OPERATION_SECONDS + 3.0  # two cores, and more tests beside this one
HEALTHY_SECONDS: Final = 1.5  # what a healthy user's login may take at most, in any circumstances
POLLING_SECONDS: Final = 8.0
CUT_OFF: Final = b"(cut off)"
RESTARTING: Final = b"-ERR [SYS/TEMP] the service is restarting, try again"


class Poller(threading.Thread):
    """A user who polls every second: how long each answer to PASS took, and what it was."""

    def __init__(self, site: LiveSite, user: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[float, bytes]] = []
        self._site, self._user, self._ending = site, user, stop

    def run(self) -> None:
        while not self._ending.wait(1.0):
            start = time.monotonic()
            try:
                with Wire(self._site.addresses["pop3"]) as wire:
                    answer = wire.login(self._user)
            except (ConnectionError, ConnectionEndedError):
                answer = CUT_OFF
            self.answers.append((time.monotonic() - start, answer))


@contextlib.contextmanager
def polling(site: LiveSite, users: list[str]) -> Iterator[list[Poller]]:
    stop = threading.Event()
    pollers = [Poller(site, user, stop) for user in users]
    for poller in pollers:
        poller.start()
    try:
        yield pollers
    finally:
        stop.set()
        for poller in pollers:
            poller.join(30)


@dataclass
class Polls:
    """What became of healthy users' polls: how long they took, and how many connections were cut off."""

    seconds: list[float]
    cut_off: int = 0


def poll_healthy(site: LiveSite, seconds: float) -> Polls:
    """Healthy users log in one after the other."""
    polls = Polls([])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(HEALTHY):
            start = time.monotonic()
            try:
                with Wire(site.addresses["pop3"]) as wire:
                    answer = wire.login(f"healthy{number}")
                    if answer == RESTARTING:
                        polls.cut_off += 1
                        continue
                    assert answer.startswith(b"+OK"), answer
                    wire.ok("STAT")
                    wire.ok("QUIT")
            except ConnectionEndedError:
                polls.cut_off += 1
            polls.seconds.append(time.monotonic() - start)
    return polls


@pytest.fixture(params=["one-uid", "many-uid"])
def site(request: pytest.FixtureRequest) -> Iterator[LiveSite]:
    """A site not yet served: 30 users under ``hung/``, some others in the spool."""
    need(can_hang(), "/dev/fuse")
    many = request.param == "many-uid"
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init(
            *("--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", "workers.drain_seconds=2"),
            *("--set", f"limits.operation_seconds={OPERATION_SECONDS}", "--set", "limits.connections_per_user=0"),
        )
        for number in range(HUNG):
            (directory / "hung" / str(number)).mkdir(parents=True)
        hung = [
            new_user(f"hung{number}", number if many else None, live, directory / "hung" / str(number) / "home")
            for number in range(HUNG)
        ]
        add_users(live, [*hung, *(new_user(f"healthy{n}", 50 + n if many else None, live) for n in range(HEALTHY))])
        yield live


def hung_users() -> list[str]:
    return [f"hung{number}" for number in range(HUNG)]


@contextlib.contextmanager
def hanging(*directories: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for directory in directories:
            stack.enter_context(hung_file_system(directory))
        yield


def check_pollers(pollers: list[Poller], *, cut_off_max: int = 0) -> None:
    answers = [answer for poller in pollers for answer in poller.answers]
    assert len(answers) >= len(pollers)
    assert {answer.split(b"]")[0] for _, answer in answers} - {CUT_OFF} == {b"-ERR [SYS/TEMP"}
    assert sum(answer in {CUT_OFF, RESTARTING} for _, answer in answers) <= cut_off_max
    assert max(took for took, _ in answers) < ANSWER_SECONDS


@pytest.mark.root
def test_one_hung_file_system_of_thirty_users_holds_up_nobody_else(site: LiveSite) -> None:
    site.start()
    with hanging(site.directory / "hung"):  # mounted while the service runs, as by an automounter
        try:
            workers = pids(site, "worker")
            with polling(site, hung_users()) as pollers:
                healthy = poll_healthy(site, POLLING_SECONDS)
                threads = [len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in workers]
            assert max(healthy.seconds) < HEALTHY_SECONDS
            assert healthy.cut_off == 0
            check_pollers(pollers)
            # As many as run at once on a file system, and one probe now and then: not one for each of 200 polls.
            assert max(threads) <= LimitsSettings().operations_per_file_system + 6
            assert pids(site, "worker") == workers
        finally:
            status_at_end = site.stop()
        assert status_at_end == 0  # with threads that hang still
    site.start()
    try:
        with Wire(site.addresses["pop3"]) as wire:  # back again, and so is the mail
            assert wire.login("hung0").startswith(b"+OK")
    finally:
        assert site.stop() == 0


@pytest.mark.root
def test_only_a_few_logins_of_a_hung_user_wait_and_the_others_are_refused_at_once(site: LiveSite) -> None:
    logins = 12
    waiting_max = 2 * LimitsSettings().operations_per_user  # there are two workers

    def answer_time(_: int) -> float:
        start = time.monotonic()
        with Wire(site.addresses["pop3"]) as wire:
            assert wire.login("hung0").startswith(b"-ERR [SYS/TEMP]")
        return time.monotonic() - start

    site.start()
    with hanging(site.directory / "hung"):
        try:
            with ThreadPoolExecutor(logins) as together:
                times = list(together.map(answer_time, range(logins)))
        finally:
            assert site.stop() == 0
    waited = [took for took in times if took >= OPERATION_SECONDS / 2]
    assert 1 <= len(waited) <= waiting_max, times


@pytest.mark.root
@pytest.mark.parametrize("site", ["one-uid"], indirect=True)
def test_a_worker_with_too_many_hung_threads_is_replaced_and_sessions_go_on(site: LiveSite) -> None:
    # A file system for each, so that the limit for one does not keep their number down.
    with hanging(*(site.directory / "hung" / str(number) for number in range(HUNG))):
        site.start("--set", "limits.stuck_threads=6")
        try:
            before = pids(site, "worker")
            with polling(site, hung_users()) as pollers:
                healthy = poll_healthy(site, POLLING_SECONDS)
                replaced = status(site)["restarts"]["worker"]
                assert set(pids(site, "worker")) != set(before)
            assert replaced >= 1
            assert max(healthy.seconds) < HEALTHY_SECONDS
            # A worker that drains closes connections that have not logged in yet.
            assert healthy.cut_off <= replaced
            check_pollers(pollers, cut_off_max=replaced * HUNG)
            wait_until(lambda: len(pids(site, "worker")) == 2, "two workers serve")
        finally:
            status_at_end = site.stop()
        assert status_at_end == 0


@pytest.mark.root
def test_a_home_that_answers_again_is_served_again_without_a_restart(site: LiveSite) -> None:
    site.start("--set", "limits.probe_seconds=1")
    try:
        with hanging(site.directory / "hung"), polling(site, hung_users()[:8]) as pollers:
            wait_until(lambda: all(len(poller.answers) >= 2 for poller in pollers), "everybody got an answer")

        def logs_in() -> bool:
            with Wire(site.addresses["pop3"]) as wire:
                return wire.login("hung0").startswith(b"+OK")

        wait_until(logs_in, "the home is served again")
        assert counters(site, "worker")["stuck"] == 0
    finally:
        assert site.stop() == 0
