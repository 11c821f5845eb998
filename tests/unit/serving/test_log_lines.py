from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.log_lines import (
    LINE_FORMATS,
    MESSAGE_CHARACTERS_MAX,
    TRACEBACK_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    LineFormat,
    LogRecord,
    json_line,
    severity,
    text_line,
)

HOSTILE = "%s%n{0}\r\n2026-01-01 login\x1b[2J\u202e\udcff\x00"


def record(message: str = "login", traceback: str | None = None, **fields: object) -> LogRecord:
    return LogRecord(1_700_000_000.1234, "info", "popd", message, fields, traceback)


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_a_text_line_has_time_level_subsystem_message_and_fields() -> None:
    assert text_line(record(user="alice", octets=120)) == (
        "2023-11-14T22:13:20.123Z info popd login user=alice octets=120\n"
    )


def test_a_json_line_has_the_same_and_keeps_numbers() -> None:
    line = json_line(record(user="alice", octets=120, tls=True, reason=None, seconds=0.5))
    assert line.endswith("\n")
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "info",
        "subsystem": "popd",
        "message": "login",
        "user": "alice",
        "octets": 120,
        "tls": True,
        "reason": None,
        "seconds": "0.5",
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", "back\\\\slash"),
        ("line\nend", "line\\nend"),
        ("été", "été"),
        (Unprintable(), '"<Unprintable that raised ZeroDivisionError>"'),
    ],
)
def test_a_value_in_a_text_line_cannot_be_mistaken_for_another_field(value: object, shown: str) -> None:
    assert text_line(record(value=value)) == f"2023-11-14T22:13:20.123Z info popd login value={shown}\n"


@pytest.mark.parametrize("form", LINE_FORMATS.values())
def test_a_hostile_text_stays_on_its_line_and_is_no_format(form: LineFormat) -> None:
    line = form(record(HOSTILE, user=HOSTILE, traceback=HOSTILE))
    assert line[:-1].isprintable()
    assert line.count("%s%n{0}") == 3


def test_a_hostile_text_can_be_read_back_from_json() -> None:
    assert json.loads(json_line(record(HOSTILE)))["message"] == HOSTILE


@settings(max_examples=40)
@given(st.text(), st.dictionaries(st.text(), st.text() | st.floats() | st.integers()), st.none() | st.text())
def test_whatever_is_logged_is_one_printable_line(message: str, fields: dict[str, object], trace: str | None) -> None:
    event = LogRecord(0, "warn", message, message, fields, trace)
    for form in LINE_FORMATS.values():
        line = form(event)
        assert line.endswith("\n")
        assert line[:-1].isprintable()


def test_long_texts_are_cut() -> None:
    event = record("m" * 10_000, user="u" * 10_000, traceback="first " + "t" * 10_000 + " last")
    shown = json.loads(json_line(event))
    assert shown["message"] == "m" * MESSAGE_CHARACTERS_MAX + "…"
    assert shown["user"] == "u" * VALUE_CHARACTERS_MAX + "…"
    assert len(shown["traceback"]) == TRACEBACK_CHARACTERS_MAX
    assert shown["traceback"].endswith(" last")
    line = text_line(event)
    assert f"user={'u' * VALUE_CHARACTERS_MAX}… " in line
    assert line.endswith(' last"\n')


def test_a_field_cannot_take_the_place_of_what_every_event_has() -> None:
    shown = json.loads(json_line(LogRecord(0, "info", "popd", "login", {"time": "never", "level": "low"})))
    assert (shown["time"], shown["time_"]) == ("1970-01-01T00:00:00.000Z", "never")
    assert (shown["level"], shown["level_"]) == ("info", "low")


def test_a_traceback_is_part_of_its_events_line() -> None:
    line = text_line(record(traceback="Traceback\n  File x\nKeyError: 'a'\n"))
    assert line.endswith("login traceback=\"Traceback\\n  File x\\nKeyError: 'a'\\n\"\n")


def test_levels_are_ranked() -> None:
    assert severity("debug") < severity("info") < severity("warn") < severity("error") < severity("critical")
