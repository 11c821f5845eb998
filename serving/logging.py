"""Logging to stderr for processes with Twisted: events of ``twisted.logger``, and those of ``logging`` beside them."""

from __future__ import annotations

import contextlib
import re
import string
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from zope.interface import implementer

from serving.log_lines import LINE_FORMATS, LogRecord, severity
from serving.plain_logging import start_plain_logging, write_to_stderr
from serving.settings import LogSettings

_LEGACY: Final = "log_legacy"  # events of twisted.python.log; of ours there are none
_NAME_END: Final = re.compile(r"[.\[(]")


def start_logging(settings: LogSettings) -> None:
    """Send what this process logs to stderr. Called once; what Twisted has kept since the start comes first."""
    start_plain_logging(settings)
    globalLogBeginner.beginLoggingTo([LineObserver(settings)], redirectStandardIO=False)


@implementer(ILogObserver)
class LineObserver:
    """Writes events of ``twisted.logger`` as lines; fields that the message does not show follow it."""

    def __init__(self, settings: LogSettings, write: Callable[[str], None] = write_to_stderr) -> None:
        self._form = LINE_FORMATS[settings.format]
        self._every_field = settings.format == "json"
        self._least = severity(settings.level)
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        """``ILogObserver.__call__``."""
        namespace = event.get("log_namespace", "-")
        level = event.get("log_level", LogLevel.info).name
        if level == "info" and namespace.startswith(("twisted.", _LEGACY)):
            level = "debug"  # ports that open and close: our own events say what an operator wants to know
        if severity(level) < self._least:
            return
        failure = event.get("log_failure")
        record = LogRecord(
            event["log_time"],
            level,
            namespace,
            _message(event),
            self._fields(event),
            None if failure is None else failure.getTraceback(),
        )
        self._write(self._form(record))

    def _fields(self, event: LogEvent) -> Mapping[str, object]:
        if event.get("log_namespace") == _LEGACY:
            return {}  # an event of twisted.python.log: what is in it is in its message
        shown = frozenset() if self._every_field else _names_in(event.get("log_format") or "")
        return {key: value for key, value in event.items() if not key.startswith("log_") and key not in shown}


def _message(event: LogEvent) -> str:
    text = event.get("log_format")
    # A parenthesis may be a call in a field, which Twisted can do; its own way takes ten times as long.
    if isinstance(text, str) and "(" not in text:
        with contextlib.suppress(Exception):  # what cannot be formatted Twisted shows somehow
            return text.format_map(event)
    return formatEvent(event)


@lru_cache(maxsize=256)
def _names_in(log_format: str) -> frozenset[str]:
    """Which fields a format shows. Formats are the program's own, so they are few."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(log_format) if name]
    except ValueError:
        return frozenset()
    return frozenset(_NAME_END.split(name, maxsplit=1)[0] for name in names)
