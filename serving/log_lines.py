"""Events as lines for stderr, text or JSON: pure functions, shared by processes with and without Twisted.

One event is one line, tracebacks included, whatever is in it. Text that a peer may have chosen can neither begin a line
nor, by control characters, do something to the terminal that shows it; nothing of it is used as a format.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from serving.settings import LOG_LEVELS

VALUE_CHARACTERS_MAX: Final = 500
MESSAGE_CHARACTERS_MAX: Final = 2000
TRACEBACK_CHARACTERS_MAX: Final = 8000
_RESERVED: Final = frozenset({"time", "level", "subsystem", "message", "traceback"})


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event. ``level`` is one of ``serving.settings.LOG_LEVELS``."""

    epoch_seconds: float
    level: str
    subsystem: str
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)
    traceback: str | None = None


LineFormat: TypeAlias = Callable[[LogRecord], str]


def severity(level: str) -> int:
    """Rank a level: the higher, the worse."""
    return LOG_LEVELS.index(level)


def text_line(record: LogRecord) -> str:
    """``time level subsystem message key=value…``; a value with other than plain characters is quoted."""
    parts = [
        _time(record.epoch_seconds),
        record.level,
        _printable(record.subsystem, VALUE_CHARACTERS_MAX),
        _printable(record.message, MESSAGE_CHARACTERS_MAX),
    ]
    parts += [
        f"{_printable(key, VALUE_CHARACTERS_MAX)}={_quoted(_text(value), VALUE_CHARACTERS_MAX)}"
        for key, value in record.fields.items()
    ]
    if record.traceback is not None:
        parts.append(f"traceback={_quoted(_end(record.traceback), TRACEBACK_CHARACTERS_MAX)}")
    return " ".join(parts) + "\n"


def json_line(record: LogRecord) -> str:
    """One JSON object with ``time``, ``level``, ``subsystem``, ``message``, the fields, and ``traceback`` if any.

    A field whose name is one of these gets an underscore after it.
    """
    event: dict[str, object] = {
        "time": _time(record.epoch_seconds),
        "level": record.level,
        "subsystem": record.subsystem,
        "message": _cut(record.message, MESSAGE_CHARACTERS_MAX),
    }
    for key, value in record.fields.items():
        event[f"{key}_" if key in _RESERVED else key] = _json_value(value)
    if record.traceback is not None:
        event["traceback"] = _end(record.traceback)
    return json.dumps(event, allow_nan=False) + "\n"


LINE_FORMATS: Final[Mapping[str, LineFormat]] = {"text": text_line, "json": json_line}


def _time(epoch_seconds: float) -> str:
    seconds, fraction = divmod(epoch_seconds, 1)
    return f"{_whole_second(int(seconds))}.{int(fraction * 1000):03d}Z"


@lru_cache(maxsize=4)
def _whole_second(epoch_seconds: int) -> str:
    return datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # an event must not be lost, nor its writer stopped, by one bad __str__
        return f"<{type(value).__name__} that raised {type(error).__name__}>"


def _json_value(value: object) -> object:
    # Other numbers than these, the infinities and NaN have no JSON.
    if value is None or isinstance(value, bool | int):
        return value
    return _cut(_text(value), VALUE_CHARACTERS_MAX)


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[:characters_max] + "…"


def _end(traceback: str) -> str:
    # The end of a traceback says what happened.
    return traceback if len(traceback) <= TRACEBACK_CHARACTERS_MAX else "…" + traceback[1 - TRACEBACK_CHARACTERS_MAX :]


def _printable(text: str, characters_max: int) -> str:
    """Bound a text and escape what is not printable: controls, line ends, bidirectional overrides, surrogates."""
    text = _cut(text, characters_max)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _quoted(text: str, characters_max: int) -> str:
    printable = _printable(text.replace("\\", "\\\\"), characters_max)
    if printable and not any(character in printable for character in ' "='):
        return printable
    return '"' + printable.replace('"', '\\"') + '"'
