"""Sites made by our own programs, run in this process."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import mailspool, spool_assign, spool_check, spool_rehash

PROGRAMS = {
    "mailspool": mailspool.main,
    "spool-assign": spool_assign.main,
    "spool-check": spool_check.main,
    "spool-rehash": spool_rehash.main,
}
# Root makes sites for another account; what belongs to it is all in the test's directory.
ACCOUNT = () if os.geteuid() else ("--user", "nobody")


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


class Stdin:
    """A standard input with octets."""

    def __init__(self, octets: bytes) -> None:
        self.buffer = io.BytesIO(octets)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in this process; a usage error is a status, too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def command(program: str, *arguments: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        capfd.readouterr()
        try:
            status = PROGRAMS[program](list(map(str, arguments)))
        except SystemExit as ended:
            status = int(ended.code or 0)
        sys.stdout.flush()
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    yield command
    root.handlers[:] = handlers  # serve has put its own in their place
    root.setLevel(level)


@dataclass(frozen=True)
class MadeSite:
    """A site, and our programs on it."""

    directory: Path
    runner: Run

    @property
    def control(self) -> Path:
        return self.directory / "control"

    @property
    def settings(self) -> Path:
        return self.directory / "mailspool.toml"

    def run(self, *words: str, stdin: bytes = b"") -> Ran:
        """``mailspool`` with these words, and ``--site``."""
        return self.runner("mailspool", *words, "--site", self.directory, stdin=stdin)

    def assign(self, *words: str) -> Ran:
        """``spool-assign`` with these words, and ``--site``."""
        return self.runner("spool-assign", *words, "--site", self.directory)

    def add(self, name: str, *options: str, password: bytes = b"secret") -> Ran:
        return self.run("user", "add", name, "--password-stdin", *options, stdin=password + b"\n")


@pytest.fixture
def make(tmp_path: Path, run: Run) -> Callable[..., MadeSite]:
    """Make a site with cheap passwords."""

    def make_site(*options: str) -> MadeSite:
        directory = tmp_path / "site"
        made = run("mailspool", "init", directory, *ACCOUNT, "--set", "auth.schemes=PLAIN", *options)
        assert made.status == 0, made
        (directory / "control" / "locals").write_text("example.org\nexample.net\n")
        return MadeSite(directory, run)

    return make_site


@pytest.fixture
def site(make: Callable[..., MadeSite]) -> MadeSite:
    """A site with one listener."""
    return make("--listen", "pop3=127.0.0.1:0")
