"""Real POP3 clients, each run the way its users run it.

A client fetches every message of one user and returns them in the form it stored them. Octets are compared with LF line
ends (what every client but curl stores), so ``curl`` and ``poplib`` also show that the wire had CRLF.
"""

from __future__ import annotations

import os
import poplib
import pty
import pwd
import re
import select
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from tests.interop.live_site import LiveSite, service_account

Security: TypeAlias = Literal["none", "stls", "tls"]
SECURITIES: Final[Sequence[Security]] = ("none", "stls", "tls")
CLIENT_SECONDS: Final = 30


@dataclass(frozen=True)
class Errand:
    """What a client is to do. ``home`` is an empty directory of the client's own."""

    site: LiveSite
    user: str
    password: str
    security: Security
    keep: bool
    home: Path

    @property
    def port(self) -> int:
        return self.site.port("pop3s" if self.security == "tls" else "pop3")


Fetch: TypeAlias = Callable[[Errand], list[bytes]]


def run(*command: str, home: Path, ok: Sequence[int] = (0,)) -> bytes:
    """Run a client with a home of its own, as an ordinary account (getmail refuses to run as root); its output."""
    account = service_account()
    if account is not None:
        run_as_root("chown", "-R", account, str(home))
    result = subprocess.run(
        command,
        capture_output=True,
        check=False,
        timeout=CLIENT_SECONDS,
        user=account,
        group=None if account is None else pwd.getpwnam(account).pw_gid,
        extra_groups=None if account is None else (),
        env={**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "FETCHMAILHOME": str(home)},
        cwd=home,
    )
    assert result.returncode in ok, f"{command}: {result.returncode}: {result.stdout!r} {result.stderr!r}"
    return result.stdout


def run_as_root(*command: str) -> None:
    """Run a command of the test's own."""
    subprocess.run(command, check=True)


def trusting(site: LiveSite) -> ssl.SSLContext:
    """A TLS context that trusts the site's own certificate and checks the name ``localhost``."""
    return ssl.create_default_context(cafile=str(site.certificate))


def maildir_messages(maildir: Path) -> list[bytes]:
    """The messages a client stored in a Maildir."""
    return [path.read_bytes() for part in ("new", "cur") for path in sorted((maildir / part).iterdir())]


def to_lf(message: bytes) -> bytes:
    """A message with LF line ends."""
    return message.replace(b"\r\n", b"\n")


# -- curl -------------------------------------------------------------------------------------------------------------


def curl(errand: Errand) -> list[bytes]:
    scheme = "pop3s" if errand.security == "tls" else "pop3"
    url = f"{scheme}://localhost:{errand.port}/"
    common = ["curl", "--silent", "--show-error", "--user", f"{errand.user}:{errand.password}"]
    if errand.security != "none":
        common += ["--cacert", str(errand.site.certificate), "--ssl-reqd"]
    listing = run(*common, url, home=errand.home).decode()
    messages = []
    for line in listing.split("\n"):
        if not line.strip():  # what curl prints for an empty listing, too
            continue
        number, octets = line.split()
        message = run(*common, f"{url}{number}", home=errand.home)
        assert len(message) == int(octets), f"LIST said {octets} for message {number}, RETR sent {len(message)}"
        messages.append(to_lf(message))
    if not errand.keep:
        for last in range(len(messages), 0, -1):  # each in a session of its own, so the numbers below stay
            run(*common, "--head", "--request", f"DELE {last}", url, home=errand.home)
    return messages


# -- Python's poplib --------------------------------------------------------------------------------------------------


def python_poplib(errand: Errand) -> list[bytes]:
    client: poplib.POP3
    if errand.security == "tls":
        client = poplib.POP3_SSL("localhost", errand.port, context=trusting(errand.site))
    else:
        client = poplib.POP3("localhost", errand.port)
        if errand.security == "stls":
            client.stls(context=trusting(errand.site))
    client.user(errand.user)
    client.pass_(errand.password)
    messages = []
    for line in client.list()[1]:
        number, octets = map(int, line.split())
        _, lines, _ = client.retr(number)
        message = b"".join(line + b"\r\n" for line in lines)
        assert len(message) == octets
        messages.append(to_lf(message))
        if not errand.keep:
            client.dele(number)
    client.quit()
    return messages


# poplib refuses lines of more than 2048 octets unless told otherwise; our samples have longer ones.
poplib._MAXLINE = 1_000_000  # type: ignore[attr-defined]


# -- fetchmail --------------------------------------------------------------------------------------------------------

_FETCHMAIL: Final = """\
set no bouncemail
set invisible
poll localhost service {port} protocol {protocol} uidl timeout 60 auth password
  user "{user}" password "{password}" {keep} no rewrite stripcr no mimedecode no dropstatus
  {security}
  mda "/bin/sh {store}"
"""
_FETCHMAIL_SECURITY: Final = {
    "none": 'sslproto ""',
    "stls": 'sslproto "TLS1+" sslcertck sslcertfile "{certificate}"',
    "tls": 'ssl sslcertck sslcertfile "{certificate}"',
}


def fetchmail(errand: Errand, *, protocol: str = "POP3") -> list[bytes]:
    inbox = errand.home / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    inbox.mkdir(parents=True)
    store = errand.home / "store"
    store.write_text(f'cat > "$(mktemp -p {inbox})"\n')
    settings = errand.home / "fetchmailrc"
    settings.write_text(
        _FETCHMAIL.format(
            port=errand.port,
            protocol=protocol,
            user=errand.user,
            password=errand.password,
            keep="keep" if errand.keep else "fetchall no keep",
            security=_FETCHMAIL_SECURITY[errand.security].format(certificate=errand.site.certificate),
            store=store,
        )
    )
    settings.chmod(0o600)
    # 1: there was no mail.
    run("fetchmail", "-f", str(settings), "-i", str(errand.home / "ids"), "--nosyslog", home=errand.home, ok=(0, 1))
    return [path.read_bytes() for path in inbox.iterdir()]


def fetchmail_apop(errand: Errand) -> list[bytes]:
    return fetchmail(errand, protocol="APOP")


# -- mpop -------------------------------------------------------------------------------------------------------------


def mpop(errand: Errand) -> list[bytes]:
    inbox = errand.home / "Maildir"
    for part in ("tmp", "new", "cur"):
        shutil.rmtree(inbox / part, ignore_errors=True)
        (inbox / part).mkdir(parents=True)
    lines = [
        "account test",
        "host localhost",
        f"port {errand.port}",
        f"user {errand.user}",
        f"password {errand.password}",
        f"keep {'on' if errand.keep else 'off'}",
        f"tls {'off' if errand.security == 'none' else 'on'}",
        f"tls_starttls {'on' if errand.security == 'stls' else 'off'}",
        "auth user" if errand.security == "none" else "auth on",
        "received_header off",
        f"uidls_file {errand.home}/ids",
        f"delivery maildir {inbox}",
    ]
    if errand.security != "none":
        lines.append(f"tls_trust_file {errand.site.certificate}")
    settings = errand.home / "mpoprc"
    settings.write_text("\n".join(lines) + "\n")
    settings.chmod(0o600)
    run("mpop", "--file", str(settings), "--quiet", "test", home=errand.home)
    return maildir_messages(inbox)


# -- getmail 6 --------------------------------------------------------------------------------------------------------


def getmail(errand: Errand) -> list[bytes]:
    inbox = errand.home / "Maildir"
    for part in ("tmp", "new", "cur"):
        shutil.rmtree(inbox / part, ignore_errors=True)
        (inbox / part).mkdir(parents=True)
    tls = errand.security == "tls"
    settings = errand.home / "getmailrc"
    settings.write_text(
        f"""\
[retriever]
type = {"SimplePOP3SSLRetriever" if tls else "SimplePOP3Retriever"}
server = localhost
port = {errand.port}
username = {errand.user}
password = {errand.password}
{f"ca_certs = {errand.site.certificate}" if tls else ""}
[destination]
type = Maildir
path = {inbox}/
[options]
delete = {"false" if errand.keep else "true"}
read_all = false
delivered_to = false
received = false
verbose = 0
"""
    )
    settings.chmod(0o600)
    run("getmail", "--getmaildir", str(errand.home), "--rcfile", str(settings), home=errand.home)
    return maildir_messages(inbox)


# -- mutt -------------------------------------------------------------------------------------------------------------


def mutt(errand: Errand) -> list[bytes]:
    """Fetch the mail into a local Maildir, as key ``G`` does, on a terminal of its own."""
    inbox = errand.home / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    for part in ("tmp", "new", "cur"):
        (inbox / part).mkdir(parents=True)
    scheme = "pops" if errand.security == "tls" else "pop"
    stls = "yes" if errand.security == "stls" else "no"
    settings = errand.home / "muttrc"
    settings.write_text(
        f"""\
set pop_host="{scheme}://{errand.user}@localhost:{errand.port}/" pop_pass="{errand.password}"
set pop_authenticators="user" pop_delete={"no" if errand.keep else "yes"} pop_last=no pop_checkinterval=600
set folder={errand.home} record="" spoolfile={inbox} mbox_type=Maildir quit=yes wait_key=no
set ssl_starttls={stls} ssl_force_tls={stls} certificate_file="{errand.site.certificate}"
push "<fetch-mail><quit>"
"""
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(HOME=str(errand.home), TERM="vt100", LC_ALL="C.UTF-8")
        os.execvp("mutt", ["mutt", "-n", "-F", str(settings)])
    screen = b""
    deadline = time.monotonic() + CLIENT_SECONDS
    try:
        while time.monotonic() < deadline:
            readable, _, _ = select.select([terminal], [], [], 1)
            if not readable:
                continue
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # EIO: the program has ended
                break
            if not piece:
                break
            screen += piece
        else:
            os.kill(pid, 15)
            raise AssertionError(f"mutt did not end: {screen[-2000:]!r}")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return [_MUTT_FIELDS.sub(b"", message, count=2) for message in maildir_messages(inbox)]


# What mutt adds at the end of a header when it stores a message.
_MUTT_FIELDS: Final = re.compile(rb"^(Content-Length|Lines|Status): [^\n]*\n", re.MULTILINE)


CLIENTS: Final[dict[str, tuple[Fetch, Sequence[Security]]]] = {
    "curl": (curl, SECURITIES),
    "poplib": (python_poplib, SECURITIES),
    "fetchmail": (fetchmail, SECURITIES),
    "mpop": (mpop, SECURITIES),
    "getmail": (getmail, ("none", "tls")),  # getmail 6 knows no STLS
    "mutt": (mutt, SECURITIES),
}
"""Each client, and how it can secure its connection."""
