from __future__ import annotations

import json
import logging as standard_logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.logger import Logger, LogPublisher
from twisted.python.log import LogPublisher as LegacyPublisher

from serving import logging
from serving.logging import LineObserver
from serving.settings import LogSettings
from spool.names import UserName


class Log:
    """A Twisted logger of its own whose lines are kept."""

    def __init__(self, format_: str = "json", level: str = "debug", namespace: str = "popd.server") -> None:
        self.lines: list[str] = []
        self.publisher = LogPublisher(LineObserver(LogSettings(format_, level), self.lines.append))
        self.logger = Logger(namespace, observer=self.publisher)

    @property
    def last(self) -> dict[str, object]:
        event = json.loads(self.lines[-1])
        assert isinstance(event, dict)
        return event


def test_a_text_line_does_not_repeat_what_its_message_shows() -> None:
    log = Log("text")
    log.logger.info("login: peer={peer} user={user.text}", peer="192.0.2.1:4", user=UserName("alice"), octets=12)
    assert log.lines[0].endswith(" info popd.server login: peer=192.0.2.1:4 user=alice octets=12\n")


def test_a_json_line_has_every_field() -> None:
    log = Log()
    log.logger.info("login: peer={peer}", peer="192.0.2.1:4", octets=12)
    assert log.last.items() >= {"message": "login: peer=192.0.2.1:4", "peer": "192.0.2.1:4", "octets": 12}.items()
    assert set(log.last) == {"time", "level", "subsystem", "message", "peer", "octets"}


def test_events_below_the_level_are_left_out() -> None:
    log = Log(level="warn")
    log.logger.info("not this")
    log.logger.warn("but this")
    log.logger.critical("and this")
    assert [json.loads(line)["message"] for line in log.lines] == ["but this", "and this"]


def test_what_twisted_says_of_itself_is_for_debugging() -> None:
    log = Log(level="info", namespace="twisted.internet.tcp")
    log.logger.info("starting on 110")
    log.logger.warn("trouble")
    assert [json.loads(line)["message"] for line in log.lines] == ["trouble"]


def test_a_failure_is_one_event_with_its_traceback() -> None:
    log = Log("text")
    try:
        dict[str, str]()["x"]
    except KeyError:
        log.logger.failure("bug in a session: peer={peer}", peer="192.0.2.1:4")
    [line] = log.lines
    assert " critical popd.server bug in a session: peer=192.0.2.1:4 traceback=" in line
    assert line.endswith("KeyError: 'x'\\n\"\n")


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_peers_text_is_not_used_as_a_format(format_: str) -> None:
    log = Log(format_)
    log.logger.warn("login failed: user={user}", user="%s%n{0}{peer}\n", peer="192.0.2.1:4")
    assert "login failed: user=%s%n{0}{peer}\\n" in log.lines[0]


def test_an_event_with_a_broken_format_is_not_lost() -> None:
    log = Log("text")
    log.logger.info("broken {", user="alice")
    assert "user=alice" in log.lines[0]


def test_an_event_without_a_format_is_shown_by_its_fields() -> None:
    log = Log("text")
    log.logger.info(user="alice")
    assert log.lines[0].endswith(" user=alice\n")


def test_an_event_of_the_older_interface_is_its_message_and_for_debugging() -> None:
    log = Log("text")
    legacy: Callable[..., Any] = LegacyPublisher
    legacy(observerPublisher=log.publisher, publishPublisher=log.publisher).msg("hello", system="old")
    assert log.lines[0].endswith(" debug log_legacy hello\n")


class Beginner:
    """Stands in for Twisted's, which can begin once in a process."""

    def __init__(self) -> None:
        self.observers: list[object] = []

    def beginLoggingTo(self, observers: list[object], *, redirectStandardIO: bool) -> None:  # noqa: N802, N803
        assert not redirectStandardIO
        self.observers += observers


@pytest.fixture
def root_logger() -> Iterator[standard_logging.Logger]:
    root = standard_logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_started_logging_takes_both_kinds_of_events(
    root_logger: standard_logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginner = Beginner()
    monkeypatch.setattr(logging, "globalLogBeginner", beginner)
    logging.start_logging(LogSettings())
    assert [type(observer) for observer in beginner.observers] == [LineObserver]
    assert len(root_logger.handlers) == 1
