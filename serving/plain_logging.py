"""Logging to stderr for processes without Twisted: events of the standard library's ``logging``."""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Callable
from typing import Final

from serving.log_lines import LINE_FORMATS, LogRecord
from serving.settings import LogSettings

_STDERR: Final = 2
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def start_plain_logging(settings: LogSettings) -> None:
    """Send what this process logs through ``logging`` to stderr; whatever handlers there were are dropped."""
    root = logging.getLogger()
    root.handlers[:] = [LineHandler(settings)]
    root.setLevel(_LEVELS[settings.level])


def write_to_stderr(line: str) -> None:
    """Write a line with one write(2), so that lines of several processes do not mix; never raises for a broken pipe."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, line.encode("utf-8", "backslashreplace"))


class LineHandler(logging.Handler):
    """Writes events of ``logging`` as lines."""

    def __init__(self, settings: LogSettings, write: Callable[[str], None] = write_to_stderr) -> None:
        super().__init__()
        self._form = LINE_FORMATS[settings.format]
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """``logging.Handler.emit``."""
        trace = None
        if record.exc_info and record.exc_info[0]:
            trace = "".join(traceback.format_exception(*record.exc_info))
        level = next((name for name, rank in reversed(_LEVELS.items()) if record.levelno >= rank), "debug")
        self._write(self._form(LogRecord(record.created, level, record.name, _message(record), traceback=trace)))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # the caller's format and arguments do not match: better half an event than none
        return str(record.msg)
