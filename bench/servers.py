"""The servers that are measured: ours on a site made for it, and Dovecot as ``peers/dovecot.sh`` sets it up."""

from __future__ import annotations

import contextlib
import os
import platform
import pwd
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from accounts.schemes.verifiers import make_verifier

HERE = Path(__file__).parent
CGROUP = Path("/sys/fs/cgroup/cpuacct/bench")
ACCOUNT = "vmailb"
PASSWORD = "secret"
OUR_PORT = 11110
PEER_PORT = 11010


@dataclass
class Server:
    """A server that can be started and stopped, and the cgroup its CPU is counted in."""

    name: str
    port: int
    start: tuple[str, ...]
    stop: tuple[str, ...] | None
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    log: Path | None = None

    @property
    def cgroup(self) -> Path:
        """Where the CPU time of its processes is counted."""
        return CGROUP / self.name


def make_account() -> None:
    """Make the account that owns the mail, unless it is there."""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True)


def machine() -> dict[str, str]:
    """Say what was measured where: processor, kernel, versions, commit, date."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE, check=False
    ).stdout.strip()
    peer = (
        subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=False).stdout.strip()
        if shutil.which("dovecot")
        else "none"
    )
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "dovecot": peer,
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
    }


def owner() -> tuple[int, int]:
    """Return uid and gid of who owns the mail."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(ACCOUNT)
    return entry.pw_uid, entry.pw_gid


def our_server(  # noqa: PLR0913 - what there is to choose
    work: Path,
    data: Path,
    label: str,
    *,
    users: int,
    mbox: bool = False,
    cache: str = "plain",
    port: int = OUR_PORT,
    protocol: str = "pop3",
    first_uid: int | None = None,
    log: Path | None = None,
) -> Server:
    """Make a site over the mail the way an operator imports one: by its control files.

    Args:
        work: where the site is made.
        data: the homes, ``user00000`` and so on.
        label: of the row; a site of its own each.
        users: how many homes there are.
        mbox: their mailboxes are ``mbox`` in the home, else ``Maildir``.
        cache: ``plain`` for passwords that cost nothing, ``default`` for ARGON2ID and the cache.
        port: to listen on.
        protocol: that is spoken there.
        first_uid: the uid of the first user, whose followers have the next ones; all have that of ``owner`` without it.
        log: takes what is logged, from ``info`` up; without it warnings go to stderr.
    """
    name = f"ours-{cache}" if protocol == "pop3" else f"ours-{protocol}-{label}"
    site = work / "sites" / f"{name}-{label}"
    shutil.rmtree(site, ignore_errors=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    uid, gid = owner()
    scheme = "PLAIN" if cache == "plain" else "ARGON2ID"
    who = ["--user", ACCOUNT] if os.geteuid() == 0 else []
    template = "{home}/mbox" if mbox else "{home}/Maildir/"
    subprocess.run(
        [_program("mailspool"), "init", site, "--spool-root", data, *who, "--listen", f"{protocol}=127.0.0.1:{port}",
         "--set", f"auth.schemes={scheme}", "--set", "auth.cleartext=always", "--set", f"spool.maildrop={template}",
         "--set", "limits.connections_per_address=100000"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    names = [f"user{number:05d}" for number in range(users)]
    uids = [uid if first_uid is None else first_uid + number for number in range(users)]
    lines = [f"={user}:{user}:{own}:{gid}:{data / user}:::" for user, own in zip(names, uids, strict=True)]
    (site / "control" / "locals").write_text("example.net\n")
    (site / "control" / "assign").write_text("\n".join([*lines, ".", ""]))
    subprocess.run([_program("spool-assign"), "compile", "--site", site], check=True, stdout=subprocess.DEVNULL)
    verifier = make_verifier(scheme, PASSWORD.encode())
    passwd = site / "control" / "passwd"
    status = passwd.stat()
    passwd.write_text("".join(f"{user}:{verifier}\n" for user in names))
    os.chown(passwd, status.st_uid, status.st_gid)
    level = ("--set", "log.level=warn") if log is None else ()
    return Server(name, port, (_program("mailspool"), "serve", "--site", str(site), *level), None, log=log)


def dovecot_server(  # noqa: PLR0913 - what there is to choose
    work: Path, data: Path, mode: str, *, users: int, mbox: bool = False, port: int = PEER_PORT, tag: str = ""
) -> Server:
    """Say how Dovecot serves the mail: as packaged (``default``) or ``tuned``.

    Runs with different ``tag`` and ``port`` may go on beside each other; the tag is in the name of the work directory.
    """
    kind = "mbox" if mbox else "maildir"
    script = str(HERE / "peers" / "dovecot.sh")
    environment = {
        "W": str(work),
        "DATA": str(data),
        "NUSERS": str(users),
        "MODE": mode,
        "FORMAT": kind,
        "PORT": str(port),
        "LMTP_PORT": str(port + 15),
        "TAG": tag,
    }
    return Server(
        "-".join(filter(None, ("dovecot", mode, kind, tag))), port, (script, "start"), (script, "stop"), environment
    )


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def start(server: Server, *, root: bool) -> None:
    """Start a server and wait until it serves; as root its processes are counted in a cgroup."""
    if server.stop is not None:
        subprocess.run(server.start, check=True, env={**os.environ, **server.environment}, stdout=subprocess.DEVNULL)
        return
    command = server.start
    if root:
        server.cgroup.mkdir(parents=True, exist_ok=True)
        command = ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(server.cgroup), *command)
    with contextlib.ExitStack() as opened:
        log = None if server.log is None else opened.enter_context(server.log.open("w"))
        server.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.process.stdout is not None
    line = server.process.stdout.readline()
    if not line.startswith("ready"):
        raise SystemExit(f"{server.name}: did not start: {line!r}")


def stop(server: Server) -> None:
    """Stop a server and wait until it is gone."""
    if server.stop is not None:
        subprocess.run(server.stop, check=True, env={**os.environ, **server.environment}, stdout=subprocess.DEVNULL)
    elif server.process is not None:
        server.process.terminate()
        server.process.wait(timeout=60)
