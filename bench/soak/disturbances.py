"""What is done to a service under load: kills, reloads, and the programs that work on a live spool."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

from tests.interop.live_site import LiveSite, program
from tests.interop.running import pids

PROGRAM_SECONDS = 300
_OUTCOMES = {0: "done", 3: "mendable", 5: "busy"}  # docs/reference/exit-codes.md


class Disturbances(threading.Thread):
    """Does one thing after the other at random, with pauses.

    Args:
        actions: what to do, by name.
        pause: seconds between two, on average.
        ending: when to stop.

    Attributes:
        counts: how often each was done.
        faults: what ended otherwise than it should.
    """

    def __init__(self, actions: Mapping[str, Callable[[], object]], pause: float, ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self.counts: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []
        self._actions, self._pause, self._ending = actions, pause, ending

    def run(self) -> None:
        while not self._ending.wait(self._pause * 2 * random.random()):
            name = random.choice(list(self._actions))
            try:
                outcome = self._actions[name]()
            except Exception as error:  # whatever it is, it belongs into the report, and the load goes on
                self.faults.append(f"{name}: {error!r}")
            else:
                self.counts[name if outcome is None else f"{name}: {outcome}"] += 1


class Service:
    """What is done to the service."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site

    def actions(self, *, many_uids: bool) -> Mapping[str, Callable[[], object]]:
        """By name. Only root's service has a spawner, and only many uids give it something to do."""
        actions: dict[str, Callable[[], object]] = {
            "worker killed": lambda: self._kill("worker"),
            "authenticator killed": lambda: self._kill("authenticator"),
            "reload": self._reload,
        }
        if os.geteuid() == 0:
            actions["spawner killed"] = lambda: self._kill("spawner")
        if many_uids:
            actions["mail process killed"] = self._kill_mail_process
        return actions

    def _kill(self, role: str) -> None:
        if alive := pids(self._site, role):
            os.kill(random.choice(alive), signal.SIGKILL)

    def _kill_mail_process(self) -> None:
        for spawner in pids(self._site, "spawner"):
            with open(f"/proc/{spawner}/task/{spawner}/children") as file:
                children = file.read().split()
            if children:
                os.kill(int(random.choice(children)), signal.SIGKILL)

    def _reload(self) -> None:
        assert self._site.process is not None
        self._site.process.send_signal(signal.SIGHUP)


class Programs:
    """The programs that work on a live spool.

    Args:
        site: the site.
        users: whose mailboxes are converted.
    """

    def __init__(self, site: LiveSite, users: Sequence[str]) -> None:
        self._site, self._users = site, users
        self._layouts = ["first-two", "letter"]

    def actions(self) -> Mapping[str, Callable[[], object]]:
        """By name."""
        return {"rehash": self._rehash, "check": self._check, "convert": self._convert}

    def _rehash(self) -> str:
        outcome = self._run("spool-rehash", "run", "--to", self._layouts[0])
        if outcome == "done":
            self._layouts.reverse()
        return outcome

    def _check(self) -> str:
        return self._run("spool-check", "--json", mendable=True)

    def _convert(self) -> str:
        user, kind = random.choice(self._users), random.choice(("maildir", "mbox"))
        outcome = self._run("spool-convert", user, "--to", kind)
        self._run("spool-convert", user, "--discard", "--grace-seconds", "0")
        return outcome

    def _run(self, *command: str, mendable: bool = False) -> str:
        """Run one to its end; what it says of it.

        Raises:
            RuntimeError: it ended otherwise than a program on a healthy, busy spool may.
        """
        result = run_program(self._site, *command)
        # What is being delivered, or was being when a process was killed, is mendable and no damage.
        outcome = _OUTCOMES.get(result.returncode)
        if outcome is None or (outcome == "mendable" and not mendable):
            said = (result.stdout + result.stderr).decode("utf-8", "replace").strip()[-1500:]
            raise RuntimeError(f"{' '.join(command)}: exit status {result.returncode}: {said}")
        return outcome


def run_program(site: LiveSite, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run one of our programs on a site."""
    return subprocess.run(
        [program(command[0]), *command[1:]],
        capture_output=True,
        check=False,
        timeout=PROGRAM_SECONDS,
        env={**os.environ, "MAILSPOOL_SITE": str(site.site)},
    )


def final_check(site: LiveSite) -> tuple[int, list[str]]:
    """Check the spool when nothing runs: the exit status, and what was found."""
    result = run_program(site, "spool-check", "--deep", "--json")
    try:
        findings = json.loads(result.stdout).get("findings", [])
    except ValueError:
        findings = [result.stderr.decode("utf-8", "replace")]
    return result.returncode, [json.dumps(each) for each in findings]
