"""The demo as a whole: built, served, read and stopped, as an ordinary user."""

from __future__ import annotations

import contextlib
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.__main__ import CHECKOUT
from demo.site import PASSWORD, USERS
from tests.ordinary_user import as_ordinary_user, free_ports

STOP_SECONDS = 30


@dataclass(frozen=True)
class Demo:
    """A demo in a directory of its own, on free ports."""

    directory: Path
    pop3_port: int
    pop3s_port: int
    lmtp_port: int

    def command(self, *options: str) -> list[str]:
        ports = (
            *("--pop3-port", str(self.pop3_port), "--pop3s-port", str(self.pop3s_port)),
            *("--lmtp-port", str(self.lmtp_port)),
        )
        python = (sys.executable, "-m", "demo", "--directory", str(self.directory), *ports, *options)
        return list(as_ordinary_user(*python))

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[list[str]]:
        """Run it; what it printed up to ``ready``. Ends it with SIGTERM, as ``kill`` does."""
        with subprocess.Popen(
            self.command(*options), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("ready "):
                    break
            try:
                yield lines
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOP_SECONDS) == 0

    @property
    def certificate(self) -> Path:
        return self.directory / "site" / "tls" / "certificate.pem"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo"), *free_ports(3))


def test_every_user_can_be_read_and_a_whole_site_is_used_again(demo: Demo) -> None:
    with demo.running() as lines:
        addresses = ("pop3", demo.pop3_port), ("pop3s", demo.pop3s_port), ("lmtp", demo.lmtp_port)
        ready = " ".join(f"{protocol}=127.0.0.1:{port}" for protocol, port in addresses)
        assert lines[-1] == f"ready {ready}\n"
        context = ssl.create_default_context(cafile=str(demo.certificate))
        for user in USERS:
            client = poplib.POP3_SSL("localhost", demo.pop3s_port, context=context, timeout=30)
            client.user(user.name)
            client.pass_(PASSWORD)
            assert client.stat()[0] == user.messages
            assert client.retr(1)[1][0].startswith(b"Received: ")
            if user.name == "clerk":
                client.dele(1)
            client.quit()
    with demo.running():
        plain = poplib.POP3("127.0.0.1", demo.pop3_port, timeout=30)
        plain.apop("clerk", PASSWORD)
        assert plain.stat()[0] == 2
        plain.quit()
        with smtplib.LMTP("127.0.0.1", demo.lmtp_port) as sending:
            sending.sendmail("s@example.org", "clerk", b"Subject: by LMTP\r\n\r\nhello\r\n")
        plain = poplib.POP3("127.0.0.1", demo.pop3_port, timeout=30)
        plain.apop("clerk", PASSWORD)
        assert plain.retr(3)[1][-3:] == [b"Subject: by LMTP", b"", b"hello"]
        plain.quit()


def test_a_taken_port_is_an_error_that_names_it(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.pop3s_port)):
        result = subprocess.run(demo.command(), cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"127.0.0.1:{demo.pop3s_port}" in result.stderr
    assert "--pop3s-port" in result.stderr
