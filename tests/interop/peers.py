"""Other mail programs, each with its own configuration in its own directory: nothing of the machine's is used.

What they listen on is on 127.0.0.1, or nothing at all.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOVECOT_LDA: Final = "/usr/lib/dovecot/dovecot-lda"
PEER_SECONDS: Final = 60


@dataclass(frozen=True)
class Account:
    """Who a peer's delivery runs as."""

    uid: int
    gid: int

    def run(self, *command: str, message: bytes, home: Path) -> None:
        """Run a delivery program as this account with a message on stdin."""
        as_whom: Mapping[str, object] = (
            {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        result = subprocess.run(  # type: ignore[call-overload]
            command,
            input=message,
            env={"HOME": str(home), "USER": "recipient", "LOGNAME": "recipient", "PATH": os.environ["PATH"]},
            cwd=home,
            capture_output=True,
            check=False,
            timeout=PEER_SECONDS,
            **as_whom,
        )
        assert result.returncode == 0, f"{command}: {result.returncode}: {result.stderr!r}"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody used a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until_answered(port: int) -> None:
    """Wait until somebody accepts connections."""
    deadline = time.monotonic() + PEER_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nobody listens on port {port}"
            time.sleep(0.05)
        else:
            return


# -- Dovecot ----------------------------------------------------------------------------------------------------------

_LDA_SETTINGS: Final = """\
mail_location = {location}
log_path = {directory}/log
base_dir = {directory}/run
state_dir = {directory}/state
first_valid_uid = 1
ssl = no
mbox_write_locks = fcntl dotlock
postmaster_address = postmaster@example.org
"""


def dovecot_location(maildrop: Path, kind: str) -> str:
    """Dovecot's ``mail_location`` for one mailbox, with its own files elsewhere than ours."""
    if kind == "maildir":
        return f"maildir:{maildrop}"
    return f"mbox:{maildrop.parent}/dovecot-folders:INBOX={maildrop}"


def dovecot_delivers(directory: Path, account: Account, maildrop: Path, kind: str, message: bytes) -> None:
    """Deliver one message with Dovecot's local delivery agent."""
    settings = directory / f"dovecot-lda-{maildrop.parent.name}.conf"
    (directory / "log").touch()
    (directory / "log").chmod(0o666)
    settings.write_text(_LDA_SETTINGS.format(location=dovecot_location(maildrop, kind), directory=directory))
    account.run(DOVECOT_LDA, "-c", str(settings), "-f", "sender@example.org", message=message, home=maildrop.parent)


_POP3_SETTINGS: Final = """\
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
listen = 127.0.0.1
protocols = pop3
mail_location = {location}
disable_plaintext_auth = no
ssl = no
first_valid_uid = 1
mail_fsync = never
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/homes/%u
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
}}
"""


@dataclass(frozen=True)
class DovecotPop3:
    """A running Dovecot. Whoever has a home in ``homes`` is a user; all have one password."""

    homes: Path
    account: Account
    port: int

    def add_user(self, name: str) -> Path:
        """Make a user; their empty home."""
        home = self.homes / name
        home.mkdir()
        os.chown(home, self.account.uid, self.account.gid)
        return home


@contextlib.contextmanager
def dovecot_pop3(
    directory: Path, account: Account, location: str, password: str, *, settings_more: str = ""
) -> Iterator[DovecotPop3]:
    """Run Dovecot's POP3 server; needs root. ``location`` is its ``mail_location``."""
    peer = DovecotPop3(directory / "homes", account, free_port())
    directory.mkdir()
    directory.chmod(0o755)
    peer.homes.mkdir()
    settings = directory / "dovecot.conf"
    settings.write_text(
        _POP3_SETTINGS.format(
            directory=directory,
            location=location,
            port=peer.port,
            uid=account.uid,
            gid=account.gid,
            password=password,
        )
        + settings_more
    )
    with subprocess.Popen(
        ["dovecot", "-F", "-c", str(settings)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as master:
        try:
            wait_until_answered(peer.port)
            yield peer
        finally:
            master.terminate()
            master.wait(PEER_SECONDS)


# -- procmail ---------------------------------------------------------------------------------------------------------


def procmail_delivers(directory: Path, account: Account, maildrop: Path, kind: str, message: bytes) -> None:
    """Deliver one message with procmail: a recipe with a lock file for an mbox, one for a Maildir without."""
    place, lock = (f"{maildrop}/", "") if kind == "maildir" else (str(maildrop), ":")
    recipes = directory / f"procmailrc-{maildrop.parent.name}"
    recipes.write_text(f"DEFAULT={place}\n:0{lock}\n{place}\n")
    account.run("procmail", "-f", "sender@example.org", str(recipes), message=message, home=maildrop.parent)


# -- Postfix ----------------------------------------------------------------------------------------------------------

_POSTFIX_SETTINGS: Final = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
import_environment = MAIL_CONFIG
inet_interfaces = loopback-only
myhostname = host.example
alternate_config_directories = {directory}/conf
mailbox_size_limit = 0
virtual_mailbox_limit = 0
message_size_limit = 20000000
header_size_limit = 1024000
mydestination = local.example
local_recipient_maps =
alias_maps = texthash:{directory}/alias/aliases
allow_mail_to_files = alias
virtual_mailbox_domains = virtual.example
virtual_mailbox_base = /
virtual_mailbox_maps = texthash:{directory}/conf/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""
_LISTENERS: Final = re.compile(r"^(smtp|smtps|submission|postlog)\s+(inet|unix-dgram)\b.*$", re.MULTILINE)
_CHROOTED: Final = re.compile(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)", re.MULTILINE)


@dataclass(frozen=True)
class Postfix:
    """A running Postfix of our own that listens nowhere and is fed by its ``sendmail``."""

    directory: Path

    def deliver(self, *addresses: str, message: bytes, sender: str = "sender@example.org") -> None:
        """Hand one message over; it is delivered some time later."""
        subprocess.run(
            ["sendmail", "-C", str(self.directory / "conf"), "-i", "-f", sender, "--", *addresses],
            input=message,
            check=True,
            capture_output=True,
            timeout=PEER_SECONDS,
        )

    def wait_until_delivered(self) -> None:
        """Wait until the queue is empty, every message delivered or returned."""
        deadline = time.monotonic() + PEER_SECONDS
        while any(
            path.is_file()
            for part in ("maildrop", "incoming", "active", "deferred")
            for path in (self.directory / "queue" / part).rglob("*")
        ):
            assert time.monotonic() < deadline, self.read_log()[-2000:]
            time.sleep(0.05)

    def wait_until_logged(self, pattern: str) -> None:
        """Wait until the log has a line with a match of the pattern."""
        deadline = time.monotonic() + PEER_SECONDS
        while re.search(pattern, self.read_log()) is None:
            assert time.monotonic() < deadline, self.read_log()[-2000:]
            time.sleep(0.05)

    def deferred(self) -> int:
        """How many messages wait for another try."""
        return sum(path.is_file() for path in (self.directory / "queue" / "deferred").rglob("*"))

    def try_again(self) -> None:
        """Have everything that waits tried again now."""
        command = ["sendmail", "-C", str(self.directory / "conf"), "-q"]
        subprocess.run(command, check=True, capture_output=True, timeout=PEER_SECONDS)

    def read_log(self) -> str:
        """What it has logged so far."""
        return _text(self.directory / "log")


@contextlib.contextmanager
def postfix(
    directory: Path, account: Account, aliases: Mapping[str, str], boxes: Mapping[str, str], *, settings_more: str = ""
) -> Iterator[Postfix]:
    """Run Postfix; needs root.

    Args:
        directory: made for it.
        account: whom mailboxes belong to.
        aliases: where local(8) delivers mail for users of local.example: files, or Maildirs with a slash at the end.
        boxes: the same for virtual(8) and virtual.example.
        settings_more: further lines of ``main.cf``.
    """
    for part in ("", "conf", "queue", "data", "alias"):
        (directory / part).mkdir()
        (directory / part).chmod(0o755)
    conf, alias = directory / "conf", directory / "alias"
    subprocess.run(["chown", "postfix", str(directory / "data")], check=True)
    settings = _POSTFIX_SETTINGS.format(directory=directory, uid=account.uid, gid=account.gid)
    (conf / "main.cf").write_text(settings + settings_more)
    services = _LISTENERS.sub("", Path("/etc/postfix/master.cf").read_text())
    (conf / "master.cf").write_text(_CHROOTED.sub(r"\1n\2", services) + "\npostlog unix-dgram n - n - 1 postlogd\n")
    (conf / "boxes").write_text("".join(f"{name}@virtual.example {place}\n" for name, place in boxes.items()))
    (alias / "aliases").write_text("".join(f"{name} {place}\n" for name, place in aliases.items()))
    # local(8) delivers to files as whom the aliases belong to.
    os.chown(alias / "aliases", account.uid, account.gid)
    control = ["postfix", "-c", str(conf)]
    started = subprocess.run(
        [*control, "start"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=PEER_SECONDS
    )
    assert started.returncode == 0, started.stderr.decode() + _text(directory / "log")
    try:
        yield Postfix(directory)
    finally:
        subprocess.run([*control, "stop"], check=False, capture_output=True, timeout=PEER_SECONDS)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
