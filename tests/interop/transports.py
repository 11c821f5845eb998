"""Exim and OpenSMTPD, with what their how-tos show as configuration.

``.ci/unpack-peers`` unpacks both beside Postfix; neither is installed. They work from some fixed paths and accounts of
their own: what they see there is seen by their processes alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import smtplib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.interop.old_servers import PEERS
from tests.interop.peers import PEER_SECONDS, free_port, wait_until_answered
from tests.interop.running import wait_until
from tests.unit.docs.pages import CHECKOUT, blocks

EXIM: Final = PEERS / "usr/sbin/exim4"
OPENSMTPD: Final = PEERS / "usr/sbin/smtpd"
TRY_SECONDS: Final = 240.0
"""A busy machine takes its time with a process for each recipient."""
_ACCOUNTS: Final[Mapping[str, int]] = {"Debian-exim": 65112, "opensmtpd": 65113, "opensmtpq": 65114}
# $0 is the directory with the accounts, $1 where the programs were unpacked.
_NAMESPACE: Final = """\
set -e
mount --make-rprivate /
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/group" /etc/group
mount -t tmpfs tmpfs /var/spool
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /usr/libexec
mkdir -p /usr/libexec/opensmtpd /var/lib/opensmtpd/empty
mount --bind "$1/usr/libexec/opensmtpd" /usr/libexec/opensmtpd
install -g opensmtpq -m 2755 "$1/usr/sbin/smtpctl" /run
shift
exec "$@"
"""


class Transport(Protocol):
    """A mail transport that delivers virtual.example as its how-to says."""

    def deliver(self, *addresses: str, message: bytes, sender: str = "sender@example.org") -> None:
        """Hand one message over; it is delivered some time later."""

    def try_again(self) -> None:
        """Have everything that waits tried again now."""

    def wait_for(self, outcome: str, address: str, times: int = 1) -> None:
        """Wait until so many deliveries to an address are ``delivered``, ``deferred`` or ``refused``."""

    def read_log(self) -> str:
        """What it has logged so far."""


def shown(page: str, language: str, changes: Mapping[str, str]) -> str:
    """The blocks of a how-to in one language, with what differs on this machine changed."""
    text = "".join(block.text for block in blocks(CHECKOUT / "docs/how-to" / page) if block.language == language)
    assert text, f"{page} shows no {language}"
    for usual, ours in changes.items():
        text = text.replace(usual, ours)
    return text


# -- Exim -------------------------------------------------------------------------------------------------------------

_EXIM_SETTINGS: Final = """\
exim_path = {exim}
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
primary_hostname = host.example
keep_environment =
never_users = root
message_size_limit = 20M
begin acl
begin routers
{routers}
returned_mail:
  driver = accept
  domains = example.org
  transport = returned_mail
begin transports
{transports}
returned_mail:
  driver = appendfile
  file = {directory}/returned/mail
  user = Debian-exim
begin retry
* * F,1h,1m
"""
_EXIM_MARKS: Final[Mapping[str, str]] = {"delivered": "=>|->", "deferred": "==", "refused": r"\*\*"}


@dataclass(frozen=True)
class Exim:
    """Exim, run for each message and each try; no daemon."""

    directory: Path

    def deliver(self, *addresses: str, message: bytes, sender: str = "sender@example.org") -> None:
        """See ``Transport``; the first try is over when this returns."""
        self._run("-odq", "-i", "-f", sender, "--", *addresses, message=message)
        self.try_again()

    def try_again(self) -> None:
        """See ``Transport``; the try is over when this returns."""
        self._run("-qff")

    def wait_for(self, outcome: str, address: str, times: int = 1) -> None:
        """See ``Transport``."""
        pattern = rf" (?:{_EXIM_MARKS[outcome]}) \S*{re.escape(address.partition('@')[0])}\b"
        wait_until(
            lambda: len(re.findall(pattern, self.read_log())) >= times, f"{pattern} in the log", seconds=TRY_SECONDS
        )

    def read_log(self) -> str:
        """See ``Transport``."""
        return (self.directory / "log" / "mainlog").read_text()

    def _run(self, *arguments: str, message: bytes = b"") -> None:
        subprocess.run(
            [*_inside(self.directory), str(EXIM), "-C", str(self.directory / "conf"), *arguments],
            input=message,
            check=True,
            capture_output=True,
            timeout=PEER_SECONDS,
        )


@contextlib.contextmanager
def exim(directory: Path, changes: Mapping[str, str], transport: str) -> Iterator[Exim]:
    """Have an Exim; needs root.

    Args:
        directory: made for it.
        changes: of what the how-to shows.
        transport: the name of the one it shows that is to be used.
    """
    _make_directory(directory, "spool", "log", "returned")
    for part in ("spool", "log", "returned"):
        os.chown(directory / part, _ACCOUNTS["Debian-exim"], _ACCOUNTS["Debian-exim"])
    routers = shown("exim.md", "exim_routers", {**changes, "transport = mailspool_lmtp": f"transport = {transport}"})
    transports = shown("exim.md", "exim_transports", changes)
    settings = _EXIM_SETTINGS.format(exim=EXIM, directory=directory, routers=routers, transports=transports)
    (directory / "conf").write_text(settings)
    yield Exim(directory)


# -- OpenSMTPD --------------------------------------------------------------------------------------------------------

_OPENSMTPD_RESULTS: Final[Mapping[str, str]] = {"delivered": "Ok", "deferred": "TempFail", "refused": "PermFail"}


@dataclass(frozen=True)
class OpenSmtpd:
    """A running OpenSMTPD."""

    directory: Path
    port: int
    pid: int

    def deliver(self, *addresses: str, message: bytes, sender: str = "sender@example.org") -> None:
        """See ``Transport``."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PEER_SECONDS) as client:
            client.sendmail(sender, addresses, message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def try_again(self) -> None:
        """See ``Transport``."""
        command = ["nsenter", "--mount", f"--target={self.pid}", "/run/smtpctl", "schedule", "all"]
        subprocess.run(command, check=True, capture_output=True, timeout=PEER_SECONDS)

    def wait_for(self, outcome: str, address: str, times: int = 1) -> None:
        """See ``Transport``."""
        pattern = rf'to=<{re.escape(address)}> .*result="?{_OPENSMTPD_RESULTS[outcome]}\b'
        wait_until(
            lambda: len(re.findall(pattern, self.read_log())) >= times, f"{pattern} in the log", seconds=TRY_SECONDS
        )

    def read_log(self) -> str:
        """See ``Transport``."""
        return (self.directory / "log").read_text()


@contextlib.contextmanager
def opensmtpd(directory: Path, changes: Mapping[str, str], way: str) -> Iterator[OpenSmtpd]:
    """Run OpenSMTPD; needs root.

    Args:
        directory: made for it.
        changes: of what the how-to shows.
        way: the language of the blocks to be used.
    """
    _make_directory(directory)
    port = free_port()
    settings = directory / "smtpd.conf"
    settings.write_text(f"listen on 127.0.0.1 port {port}\n" + shown("opensmtpd.md", way, changes))
    settings.chmod(0o600)
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            [*_inside(directory), str(OPENSMTPD), "-d", "-f", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as daemon,
    ):
        try:
            wait_until_answered(port)
            yield OpenSmtpd(directory, port, daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait(PEER_SECONDS)


# -- both -------------------------------------------------------------------------------------------------------------


def _inside(directory: Path) -> tuple[str, ...]:
    return ("unshare", "--mount", "sh", "-c", _NAMESPACE, str(directory), str(PEERS))


def _make_directory(directory: Path, *parts: str) -> None:
    directory.mkdir()
    directory.chmod(0o755)
    for part in parts:
        (directory / part).mkdir()
    for file, line in (("passwd", "{}:x:{}:{}::/nonexistent:/usr/sbin/nologin"), ("group", "{}:x:{}:")):
        shutil.copy(f"/etc/{file}", directory / file)
        with (directory / file).open("a") as accounts:
            accounts.writelines(line.format(name, number, number) + "\n" for name, number in _ACCOUNTS.items())
