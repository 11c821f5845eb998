"""Tests of ``delivery.companions.conditions``: qmail's tables of what follows from a program's status."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from delivery.companions.conditions import bouncesaying, condredirect, except_
from delivery.companions.statuses import Exit

YES, NO, LATER = ["sh", "-c", "exit 0"], ["sh", "-c", "exit 1"], ["sh", "-c", "exit 111"]
CRASH, MISSING = ["sh", "-c", "kill -9 $$"], ["/no/such/program"]


@pytest.mark.parametrize(
    ("program", "status"),
    [(YES, Exit.REFUSE), (NO, Exit.GO_ON), (LATER, Exit.TRY_LATER), (CRASH, Exit.TRY_LATER), (MISSING, Exit.GO_ON)],
)
def test_except_turns_a_condition_round(program: list[str], status: Exit) -> None:
    assert except_(program) is status


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ([], Exit.REFUSE, ["moved"]),
        (YES, Exit.REFUSE, ["moved"]),
        (NO, Exit.GO_ON, []),
        (LATER, Exit.TRY_LATER, []),
        (MISSING, Exit.GO_ON, []),
    ],
)
def test_bouncesaying_says_why(program: list[str], status: Exit, said: list[str]) -> None:
    heard: list[str] = []
    assert bouncesaying("moved", program, heard.append) is status
    assert heard == said


@pytest.mark.parametrize(
    ("program", "status", "redirected"),
    [(YES, Exit.STOP, True), (NO, Exit.GO_ON, False), (LATER, Exit.TRY_LATER, False), (MISSING, Exit.GO_ON, False)],
)
def test_condredirect_sends_on_and_stops(program: list[str], status: Exit, redirected: bool) -> None:
    calls: list[str] = []
    assert condredirect(program, lambda: calls.append("sent on")) is status
    assert calls == ["sent on"] * redirected


def test_the_program_reads_the_message_and_so_does_whoever_follows(message: bytes, tmp_path: Path) -> None:
    os.read(0, 5)
    assert except_(["sh", "-c", f"cat > {tmp_path}/seen; exit 3"]) is Exit.GO_ON
    assert (tmp_path / "seen").read_bytes() == os.read(0, 100) == message


def test_a_program_that_cannot_be_started_now_is_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable", "program")

    monkeypatch.setattr(subprocess, "run", fails)
    assert except_(YES) is Exit.TRY_LATER
