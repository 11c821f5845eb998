"""A site made and served by the programs themselves, as an operator would, on free ports of 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

START_SECONDS: Final = 30
STOP_SECONDS: Final = 30
PASSWORD: Final = "correct horse"


def program(name: str) -> str:
    """The path of one of our programs, beside the Python that runs the tests."""
    return str(Path(sys.executable).with_name(name))


@dataclass
class LiveSite:
    """A site in ``directory``; ``account`` is its service account where the tests run as root.

    ``wrapper`` stands before the command that serves; it has to end in becoming it (``exec``).
    """

    directory: Path
    account: str | None = None
    wrapper: tuple[str, ...] = ()
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)
    unix_sockets: dict[str, Path] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    log: IO[str] | None = None

    @property
    def site(self) -> Path:
        """The site's directory."""
        return self.directory / "site"

    def run(self, *command: str, stdin: bytes = b"", ok: Sequence[int] = (0,)) -> subprocess.CompletedProcess[bytes]:
        """Run one of our programs on this site."""
        result = subprocess.run(
            [program(command[0]), *command[1:]],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
            env={**os.environ, "MAILSPOOL_SITE": str(self.site)},
        )
        assert result.returncode in ok, f"{command}: {result.returncode}: {result.stderr.decode()}"
        return result

    def init(self, *options: str, lmtp: bool = False) -> None:
        """Make the site with free ports for POP3 and POP3S. Messages are stored as they come, to be compared.

        With ``lmtp`` there are also a free port and a UNIX socket for LMTP.
        """
        account = ("--user", self.account) if self.account is not None else ()
        root = str(self.directory / "spool")
        as_it_comes = ("--set", "delivery.added_fields=")
        listeners = ["--listen", "pop3=127.0.0.1:0", "--listen", "pop3s=127.0.0.1:0"]
        if lmtp:
            listeners += ["--listen", "lmtp=127.0.0.1:0", "--listen", f"lmtp=unix:{self.directory / 'lmtp'}"]
        self.run(
            "mailspool", "init", str(self.site), "--spool-root", root, *account, *listeners, *as_it_comes, *options
        )

    def add_user(self, name: str, *options: str, password: str = PASSWORD) -> None:
        """Add a user whose password is ``password``."""
        self.run("mailspool", "user", "add", name, "--password-stdin", *options, stdin=password.encode() + b"\n")

    def show_user(self, name: str) -> dict[str, Any]:
        """What ``mailspool user show --json`` says."""
        shown: dict[str, Any] = json.loads(self.run("mailspool", "user", "show", name, "--json").stdout)
        return shown

    def deliver(self, user: str, message: bytes, *, sender: str = "sender@example.org") -> None:
        """Deliver one message with spool-deliver."""
        self.run("spool-deliver", "--sender", sender, user, stdin=message)

    def start(self, *options: str) -> None:
        """Serve, and wait for the line ``ready``."""
        self.log = (self.directory / "serve.log").open("a+")
        self.process = subprocess.Popen(
            [*self.wrapper, program("mailspool"), "serve", "--site", str(self.site), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if readable else ""
        assert line.startswith("ready "), f"not ready: {line!r}\n{self.read_log()}"
        for word in line.split()[1:]:
            protocol, _, address = word.partition("=")
            if address.startswith("unix:"):
                self.unix_sockets[protocol] = Path(address.removeprefix("unix:"))
                continue
            host, _, port = address.rpartition(":")
            self.addresses[protocol] = (host.strip("[]"), int(port))

    def stop(self) -> int:
        """End the service with SIGTERM; return its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
            if self.log is not None:
                self.log.close()
            self.process = None
        return status

    def read_log(self) -> str:
        """What the service wrote to stderr so far."""
        return (self.directory / "serve.log").read_text()

    def port(self, protocol: str) -> int:
        """The TCP port of a protocol's listener."""
        return self.addresses[protocol][1]

    @property
    def certificate(self) -> Path:
        """The certificate that init made, for clients to trust."""
        return self.site / "tls" / "certificate.pem"


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that other accounts may pass through, as a site of several uids needs; pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="mailspool-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def service_account() -> str | None:
    """The account a site made by root belongs to; made if missing. None where the tests do not run as root."""
    if os.geteuid():
        return None
    name = "mailspool-test"
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
    return name
