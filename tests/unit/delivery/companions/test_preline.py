"""Tests of ``delivery.companions.preline``, in a child, which becomes the program."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from delivery.companions.preline import LINES, preline
from delivery.companions.statuses import CannotRunError, Exit, MissingVariableError

ENVIRONMENT = {"UFLINE": "From s@x now\n", "RPLINE": "Return-Path: <s@x>\n", "DTLINE": "Delivered-To: joe@a\n"}


def run(program: Sequence[str], lines: Sequence[str]) -> int:
    child = os.fork()
    if child == 0:
        try:
            preline(program, ENVIRONMENT, lines)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("lines", [tuple(LINES), ("from",), ("delivered-to", "return-path"), ()])
def test_the_program_reads_the_lines_and_the_message(tmp_path: Path, message: bytes, lines: tuple[str, ...]) -> None:
    assert run(["sh", "-c", f"cat > {tmp_path}/seen; exit 7"], lines) == 7
    before = "".join(ENVIRONMENT[variable] for name, variable in LINES.items() if name in lines)
    assert (tmp_path / "seen").read_bytes() == before.encode() + message


def test_outside_of_an_instruction_line_it_does_nothing() -> None:
    with pytest.raises(MissingVariableError, match="UFLINE"):
        preline(["true"], {}, ["from"])


def test_a_program_that_is_not_there_refuses_for_good() -> None:
    with pytest.raises(CannotRunError) as trouble:
        preline(["/no/such/program"], ENVIRONMENT, [])
    assert trouble.value.status is Exit.REFUSE
