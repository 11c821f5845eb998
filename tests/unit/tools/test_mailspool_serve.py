"""Tests of tools.mailspool_serve and tools.mailspool_status, with the service as a process of its own."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.tools.conftest import MadeSite

SECONDS = 20
COMMAND = "import sys; from tools.mailspool import main; sys.exit(main())"


class Served:
    """A served site."""

    def __init__(self, site: MadeSite, *options: str) -> None:
        self.site = site
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", "--site", str(site.directory), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout, self.process.stderr

    def ready(self) -> str:
        assert select.select([self.out], [], [], SECONDS)[0]
        return self.out.readline()

    def events(self) -> Iterator[dict[str, Any]]:
        """What is logged from now on, as it comes; the log is in JSON."""
        while select.select([self.err], [], [], SECONDS)[0] and (line := self.err.readline()):
            yield json.loads(line)

    def event(self, pattern: str) -> dict[str, Any]:
        """The first event from now on whose message matches."""
        return next(event for event in self.events() if re.match(pattern, event["message"]))

    def reload(self, *changes: tuple[str, str]) -> None:
        text = self.site.settings.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.site.settings.write_text(text)
        self.process.send_signal(signal.SIGHUP)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=SECONDS)


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    served: list[Served] = []

    def start(site: MadeSite, *options: str) -> Served:
        served.append(Served(site, "--set", "workers.count=1", "--set", "log.format=json", *options))
        return served[-1]

    yield start
    for each in served:
        each.close()


def test_a_served_site_says_where_it_listens_tells_its_status_and_ends_quietly(site: MadeSite, serve: Serve) -> None:
    served = serve(site, "--set", "log.level=warn")
    ready = served.ready()
    assert re.fullmatch(r"ready pop3=127\.0\.0\.1:\d+\n", ready)
    status = json.loads(site.run("status", "--json").out)
    assert status["pid"] == served.process.pid
    assert status["listeners"] == [ready.split()[1]]
    assert [child["state"] for child in status["children"]] == ["ready"] * len(status["children"])
    assert {child["role"] for child in status["children"]} >= {"authenticator", "worker"}
    table = site.run("status").out
    assert ready.split()[1] in table
    assert "authenticator" in table
    assert served.end() == 0
    assert served.out.read() == ""
    assert [event["message"] for event in served.events() if "RLIMIT" not in event["message"]] == []


def test_a_reload_takes_good_settings_and_says_why_it_refuses_bad_ones(site: MadeSite, serve: Serve) -> None:
    served = serve(site)
    served.ready()
    served.reload(('["PLAIN"]', '["ROT13"]'))
    refused = served.event("reload refused")
    assert refused["level"] == "error"
    assert str(site.settings) in refused["message"]
    assert "auth.schemes" in refused["message"]
    served.reload(('["ROT13"]', '["PLAIN"]'))
    assert served.event("reloaded")["subsystem"] == "serving.supervisor"
    assert served.end() == 0


def test_a_site_is_not_served_twice(site: MadeSite, serve: Serve) -> None:
    serve(site).ready()
    refused = site.run("serve")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.endswith("status.sock: another process listens there\n")


def test_a_child_that_dies_is_an_event_like_any_other(site: MadeSite, serve: Serve) -> None:
    served = serve(site)
    served.ready()
    status = json.loads(site.run("status", "--json").out)
    worker = next(child["pid"] for child in status["children"] if child["role"] == "worker")
    subprocess.run(["kill", "-KILL", str(worker)], check=True)
    assert served.event("worker")["message"] == f"worker (pid {worker}) ended unexpectedly (SIGKILL)"


def test_status_without_a_service_is_one_line(site: MadeSite) -> None:
    failed = site.run("status")
    assert (failed.status, failed.out) == (1, "")
    assert failed.err.startswith(f"mailspool: {site.directory}/run/status.sock: no answer, is the service running?")
    assert failed.err.count("\n") == 1


def test_a_status_socket_that_cannot_be_made_is_named(site: MadeSite) -> None:
    refused = site.run("serve", "--set", "service.runtime_directory=/no/such/directory")
    assert (refused.status, refused.out) == (1, "")
    assert "/no/such/directory/status.sock" in refused.err


@pytest.mark.parametrize("setting", ["workers", "workers.count=x", "nothing.at=all"])
def test_a_wrong_override_is_named(site: MadeSite, setting: str) -> None:
    refused = site.run("serve", "--set", setting)
    assert (refused.status, refused.out) == (1, "")
    assert setting.partition(".")[0] in refused.err
