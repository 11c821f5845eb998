from __future__ import annotations

import os
import runpy
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.checks import CheckResult
from accounts.pam_check import main, pam_check


class FakePamError(Exception):
    """As pamela's: carries PAM's number."""

    def __init__(self, errno: int) -> None:
        super().__init__("secret detail")
        self.errno = errno


def pamela(answer: int) -> Any:
    def authenticate(name: str, password: str, service: str) -> None:
        assert (name, password, service) == ("yasuhi", "pässword", "mailspool")
        if answer:
            raise FakePamError(answer)

    return SimpleNamespace(authenticate=authenticate, PAMError=FakePamError)


def descriptor(octets: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, octets)
    os.close(writing)
    return reading


INPUT = "yasuhi\0pässword\0".encode()


def test_the_check_runs_this_module() -> None:
    check = pam_check("mailspool", b"yasuhi", b"password")
    assert check.command == (sys.executable, "-I", "-m", "accounts.pam_check", "mailspool")
    assert check.octets == b"yasuhi\0password\0"


def test_a_python_that_cannot_start_is_no_wrong_password() -> None:
    check = pam_check("mailspool", b"yasuhi", b"password")
    assert check.result(1) is CheckResult.UNAVAILABLE
    assert check.result(3) is CheckResult.WRONG


@pytest.mark.parametrize(("number", "status"), [(0, 0), (7, 3), (10, 3), (13, 3), (9, 111), (4, 111)])
def test_pams_answer_becomes_an_exit_status(number: int, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mailspool"], descriptor=descriptor(INPUT), load=lambda _name: pamela(number)) == status
    assert "secret" not in capsys.readouterr().err


def test_without_the_library_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    assert main(["mailspool"], descriptor=descriptor(INPUT), load=missing) == 111
    assert "not installed" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_wrong() -> None:
    assert main(["mailspool"], descriptor=descriptor(b"\xff\0x\0"), load=lambda _name: pamela(0)) == 3


@pytest.mark.parametrize(
    ("arguments", "octets"),
    [([], INPUT), (["a", "b"], INPUT), (["a"], b"yasuhi\0"), (["a"], b"a\0b\0c"), (["a"], b"x" * 600)],
)
def test_misuse_is_told(arguments: list[str], octets: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, descriptor=descriptor(octets)) == 2
    assert "usage" in capsys.readouterr().err


def test_it_runs_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sys, "argv", ["pam_check"])
    monkeypatch.setattr("accounts.checks.EXTERNAL_CHECK_DESCRIPTOR", descriptor(INPUT))
    monkeypatch.delitem(sys.modules, "accounts.pam_check")
    with pytest.raises(SystemExit, match="2"):
        runpy.run_module("accounts.pam_check", run_name="__main__")
