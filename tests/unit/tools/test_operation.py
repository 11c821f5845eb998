"""Tests of ``tools.operation``."""

from __future__ import annotations

import enum
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from spool.names import UserName
from spool.progress import counted
from tools.operation import print_json, shown_progress


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Report:
    user: UserName
    path: Path
    colour: Colour
    moved: frozenset[int]
    parts: tuple[str, ...]


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A second goes by whenever it is asked."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_a_report_becomes_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(Report(UserName("joe"), Path("/mailid/j/joe"), Colour.RED, frozenset({2, 1}), ("x",)))
    assert json.loads(capsys.readouterr().out) == {
        "user": "joe",
        "path": "/mailid/j/joe",
        "colour": "red",
        "moved": [1, 2],
        "parts": ["x"],
    }


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(TypeError, match="object"):
        print_json(object())


@pytest.mark.parametrize(("step", "shown"), [(1.0, True), (0.01, False)], ids=["long", "short"])
def test_a_bar_is_shown_for_what_takes_longer_than_a_second(
    monkeypatch: pytest.MonkeyPatch, step: float, shown: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown_progress(clock=Clock(step)) as progress:
        assert list(counted("abc", progress, "letters", 3)) == ["a", "b", "c"]
    assert ("letters" in terminal.getvalue()) is shown


def test_no_bar_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(clock=Clock(1.0)) as progress:
        assert list(counted("abc", progress, "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
