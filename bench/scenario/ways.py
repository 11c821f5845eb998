"""The ways a message goes: what is started for each, and how the message is handed over."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.scenario.client import DirectMail
from bench.scenario.population import DOMAINS, Population
from bench.servers import ACCOUNT, CGROUP, HERE, Server, dovecot_server, start, stop

OUR_PORT = 11724
DOVECOT_PORT = 11710  # its LMTP is 15 above
SENDER = "list@example.org"
RECIPIENTS = 1000  # of one LMTP transaction, as docs/how-to/deliver.md has it
CONNECTIONS = 8  # of the small client


@dataclass(frozen=True)
class Way:
    """One way: through which transport of Postfix, and to whose LMTP; neither is also possible.

    ``recipients`` is Postfix's limit for one transaction of the transport.
    """

    name: str
    postfix: str | None = None
    lmtp: str | None = None
    recipients: int = 50


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way("postfix-ours", "lmtp", "ours", RECIPIENTS),
        Way("postfix-ours-50", "lmtp", "ours"),
        Way("postfix-dovecot", "lmtp", "dovecot", RECIPIENTS),
        Way("postfix-dovecot-50", "lmtp", "dovecot"),
        Way("postfix-virtual", "virtual"),
        Way("direct", None, "ours"),
    )
}


class Servers:
    """Everything a way needs, made once below ``work``; what a run needs is started for the run.

    Args:
        work: a directory of our own.
        population: whose mail it is.
        settings: more settings of our site, ``SECTION.KEY=VALUE``.
    """

    def __init__(self, work: Path, population: Population, settings: Sequence[str]) -> None:
        self._work = work
        self._population = population
        self._site = work / "site"
        self._environment = {
            "W": str(work),
            "DATA": str(population.data),
            "NUSERS": str(len(population.names)),
            "DOMAINS": " ".join(DOMAINS),
            "TAG": "scenario",
        }
        self._make_site(settings)

    @contextlib.contextmanager
    def running(self, way: Way) -> Iterator[RunningWay]:
        """Start what a way needs, and stop it at the end; mail that waits in Postfix is removed before."""
        with contextlib.ExitStack() as stack:
            started = []
            if way.lmtp == "ours":
                started.append(stack.enter_context(self._ours()))
            elif way.lmtp == "dovecot":
                server = dovecot_server(
                    self._work, self._population.data, "default", users=len(self._population.names),
                    port=DOVECOT_PORT, tag="scenario",
                )  # fmt: skip
                started.append(stack.enter_context(_started(server)))
            queue = None
            if way.postfix is not None:
                server = self._postfix(way)
                queue = PostfixQueue(self._work / server.name / "conf")
                if queue.configuration.exists():
                    queue.clear()
                started.append(stack.enter_context(_started(server)))
            yield RunningWay(way, self._population, queue, [server.cgroup for server in started],
                             [self._work / "serve.log", *self._work.glob("*-scenario/log")])  # fmt: skip

    def _make_site(self, settings: Sequence[str]) -> None:
        population = self._population
        overrides = [part for setting in settings for part in ("--set", setting)]
        subprocess.run(
            [_program("mailspool"), "init", self._site, "--spool-root", population.data, "--user", ACCOUNT,
             "--listen", f"lmtp=127.0.0.1:{OUR_PORT}", "--set", "limits.connections_per_address=1000", *overrides],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        control = self._site / "control"
        (control / "locals").write_text("".join(f"{domain}\n" for domain in DOMAINS))
        lines = []
        for name in population.names:
            uid, gid = population.owner(name)
            lines.append(f"={name}:{name}:{uid}:{gid}:{population.home(name)}:::")
        (control / "assign").write_text("\n".join([*lines, ".", ""]))
        subprocess.run(
            [_program("spool-assign"), "compile", "--site", self._site], check=True, stdout=subprocess.DEVNULL
        )

    @contextlib.contextmanager
    def _ours(self) -> Iterator[Server]:
        server = Server("ours-scenario", OUR_PORT, (_program("mailspool"), "serve", "--site", str(self._site)), None)
        server.cgroup.mkdir(parents=True, exist_ok=True)
        command = ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(server.cgroup), *server.start)
        with (
            (self._work / "serve.log").open("a") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
        ):
            assert process.stdout is not None
            try:
                if not process.stdout.readline().startswith("ready"):
                    raise SystemExit(f"scenario: the service does not start:\n{Path(log.name).read_text()[-2000:]}")
                yield server
            finally:
                process.terminate()
                process.wait(60)

    def _postfix(self, way: Way) -> Server:
        script = str(HERE / "peers" / "postfix.sh")
        port = OUR_PORT if way.lmtp == "ours" else DOVECOT_PORT + 15
        environment = {
            **self._environment, "VIA": str(way.postfix), "LMTP_PORT": str(port), "RECIPIENTS": str(way.recipients)
        }  # fmt: skip
        return Server(f"postfix-{way.postfix}-scenario", 0, (script, "start"), (script, "stop"), environment)


class PostfixQueue:
    """What waits in one Postfix."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def clear(self) -> None:
        """Remove all mail, while nothing runs."""
        for part in ("maildrop", "incoming", "active", "deferred", "defer", "bounce"):
            for path in (self.configuration.parent / "queue" / part).rglob("*"):
                if path.is_file():
                    path.unlink()

    def addresses(self) -> list[str]:
        """The recipients that are not delivered yet, one for each message."""
        listed = subprocess.run(["postqueue", "-c", self.configuration, "-j"], check=True, capture_output=True).stdout
        return [each["address"] for line in listed.splitlines() for each in json.loads(line)["recipients"]]


class RunningWay:
    """A way that is open."""

    def __init__(
        self,
        way: Way,
        population: Population,
        queue: PostfixQueue | None,
        cgroups: Sequence[Path],
        logs: Sequence[Path],
    ) -> None:
        self.queue = queue
        self._way = way
        self._population = population
        self._cgroups = cgroups
        self._logs = logs

    def send(self, names: Sequence[str], message: bytes) -> DirectMail | None:
        """Hand the message over; with Postfix it has taken it when this returns."""
        addresses = [self._population.address(name) for name in names]
        if self.queue is None:
            return DirectMail(OUR_PORT, CONNECTIONS, addresses, message)
        with tempfile.TemporaryFile() as file:
            file.write(message)
            file.seek(0)
            subprocess.run(
                ["sendmail", "-C", self.queue.configuration, "-i", "-f", SENDER, "--", *addresses],
                check=True, stdin=file,
            )  # fmt: skip
        return None

    def logged(self) -> str:
        """What its servers have logged last."""
        texts = [path.read_text()[-2000:] for path in self._logs if path.exists()]
        return "\n".join(texts)

    def processor_seconds(self) -> float:
        """What its servers have used."""
        return sum(int((cgroup / "cpuacct.usage").read_text()) for cgroup in self._cgroups) / 1e9


@contextlib.contextmanager
def _started(server: Server) -> Iterator[Server]:
    start(server, root=True)
    try:
        yield server
    finally:
        stop(server)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def able() -> str | None:
    """What is missing to run here, None if nothing is."""
    missing = [program for program in ("postfix", "dovecot") if not any(
        (Path(directory) / program).exists() for directory in ("/usr/sbin", "/usr/local/sbin"))]  # fmt: skip
    if os.geteuid() or missing or not CGROUP.parent.exists():
        return ", ".join(["root"] * bool(os.geteuid()) + missing) or str(CGROUP.parent)
    return None
