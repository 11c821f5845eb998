"""Tests of tools.qbiff."""

from __future__ import annotations

import io
import sys

import pytest

from tools import qbiff


@pytest.mark.parametrize("arguments", [[], ["--short"], ["--shout"], ["fred"]])
def test_the_exit_status_is_always_0(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Subject: x\n\n")))
    assert qbiff.main(arguments) == 0


def test_an_error_tells_its_kind_and_nothing_of_the_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise UnicodeError("Subject: private")

    monkeypatch.setattr(qbiff, "biff", fail)
    assert qbiff.main([]) == 0
    assert capsys.readouterr().err == "qbiff: UnicodeError\n"


def test_help_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        qbiff.main(["--help"])
    assert "--short" in capsys.readouterr().out
