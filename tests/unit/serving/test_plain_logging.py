from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest

from serving.plain_logging import LineHandler, start_plain_logging, write_to_stderr
from serving.settings import LogSettings


class Log:
    """A logger of its own whose lines are kept."""

    def __init__(self, format_: str = "json") -> None:
        self.lines: list[str] = []
        self.logger = logging.Logger("serving.supervisor", logging.DEBUG)  # noqa: LOG001 - apart from the process's
        self.logger.addHandler(LineHandler(LogSettings(format=format_), self.lines.append))

    @property
    def last(self) -> dict[str, object]:
        event = json.loads(self.lines[-1])
        assert isinstance(event, dict)
        return event


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_a_line() -> None:
    log = Log("text")
    log.logger.warning("worker %d ended", 3)
    assert log.lines[0].endswith(" warn serving.supervisor worker 3 ended\n")


@pytest.mark.parametrize(
    ("rank", "level"), [(1, "debug"), (10, "debug"), (20, "info"), (30, "warn"), (40, "error"), (60, "critical")]
)
def test_levels_have_our_names(rank: int, level: str) -> None:
    log = Log()
    log.logger.setLevel(1)
    log.logger.log(rank, "x")
    assert log.last["level"] == level


def test_an_exception_is_part_of_its_event() -> None:
    log = Log()
    try:
        dict[str, str]()["x"]
    except KeyError:
        log.logger.exception("a bug")
    assert log.last["message"] == "a bug"
    assert str(log.last["traceback"]).endswith("KeyError: 'x'\n")


def test_an_event_logged_with_exc_info_but_without_an_exception_has_no_traceback() -> None:
    log = Log()
    log.logger.error("trouble", exc_info=True)  # noqa: LOG014
    assert "traceback" not in log.last


def test_an_event_whose_arguments_do_not_fit_is_not_lost() -> None:
    log = Log()
    log.logger.error("pid %d", "x")
    assert log.last["message"] == "pid %d"


def test_a_peers_text_is_not_used_as_a_format() -> None:
    log = Log()
    log.logger.error("%s", "%s%n{0}\n")
    assert log.last["message"] == "%s%n{0}\n"


def test_started_logging_writes_to_stderr_from_its_level_upwards(
    root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    start_plain_logging(LogSettings(level="warn"))
    logging.getLogger("serving.supervisor").info("not this")
    logging.getLogger("serving.supervisor").warning("but this")
    assert capfd.readouterr().err.endswith(" warn serving.supervisor but this\n")
    assert len(root_logger.handlers) == 1


def test_a_closed_stderr_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr("serving.plain_logging._STDERR", writer)
    try:
        write_to_stderr("line\n")
    finally:
        os.close(writer)
