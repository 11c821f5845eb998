"""A process per message: spool-deliver with and without the service, beside dovecot-lda. As root, with Dovecot installed.

    python -m bench.lda [--rounds 200] [--python /usr/bin/python3] [--octets 4000]

In each round every program delivers one message into a Maildir of its own, in turn, so that what else the machine does
meets all alike. Prints the median and the quartiles of the wall time in ms, and each median as a multiple of
dovecot-lda's. Dovecot's own process runs as the account that owns the mail; spool-deliver runs as root, as a mail
transport would run it. ``python`` is the interpreter alone, with the options that spool-deliver's launcher gives it.
"""

from __future__ import annotations

import argparse
import os
import pwd
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.servers import ACCOUNT, make_account, machine, start, stop, Server
from tests.interop.installation import lay_out

DOVECOT_LDA = "/usr/lib/dovecot/dovecot-lda"
SENDER = "sender@example.org"
SETTINGS = """\
mail_location = maildir:~/Maildir
log_path = {directory}/log
base_dir = {directory}/run
state_dir = {directory}/state
first_valid_uid = 1
ssl = no
postmaster_address = postmaster@example.org
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--python", type=Path, default=Path(sys.base_prefix) / "bin" / "python3")
    parser.add_argument("--octets", type=int, default=4000, help="of each message")
    options = parser.parse_args()
    make_account()
    message = b"Subject: bench\n\n" + b"0123456789abcdef" * 4 + b"\n"
    message += (b"x" * 70 + b"\n") * (options.octets // 71)
    with tempfile.TemporaryDirectory(prefix="mailspool-lda-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        program = install(directory / "installed", options.python)
        served, alone = make_site(directory / "served"), make_site(directory / "alone")
        ours = "--sender=" + SENDER
        programs: dict[str, Callable[[], float]] = {
            "dovecot-lda": dovecot_lda(directory / "dovecot", message),
            "spool-deliver, by the service": lambda: timed([program, "--site", served, ours, "joe"], message),
            "spool-deliver, alone": lambda: timed([program, "--site", alone, ours, "joe"], message),
            "python": lambda: timed([program.with_name("python3"), "-IS", "-c", "import posix; posix._exit(0)"], b""),
        }
        service = Server("ours", 0, (own("mailspool"), "serve", "--site", str(served), "--set", "log.level=warn"), None)
        start(service, root=False)
        try:
            times = measure(programs, options.rounds)
        finally:
            stop(service)
    print(machine())
    peer = statistics.median(times["dovecot-lda"])
    for name, found in times.items():
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:32} {median:6.1f} ms  ({low:.1f} to {high:.1f})  {median / peer:5.2f}")


def measure(programs: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run all in turn, a few times unmeasured at first."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(-5, rounds):
        for name, run in programs.items():
            taken = run()
            if number >= 0:
                times[name].append(taken)
    return times


def timed(command: list[str | Path], message: bytes, **who: object) -> float:
    """Milliseconds until a program has taken a message."""
    begun = time.perf_counter()
    ended = subprocess.run(command, input=message, capture_output=True, check=False, **who)  # type: ignore[call-overload]
    taken = time.perf_counter() - begun
    if ended.returncode:
        raise SystemExit(f"{command}: exit status {ended.returncode}: {ended.stderr.decode()}")
    return taken * 1000


def install(directory: Path, python: Path) -> Path:
    """Lay spool-deliver out as an installer does; the path of the program."""
    version = subprocess.run(
        [python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.strip()  # fmt: skip
    return lay_out(directory, python, version)


def make_site(directory: Path) -> Path:
    """Make a site with one user, and a UNIX socket for LMTP."""
    subprocess.run(
        [own("mailspool"), "init", directory, "--user", ACCOUNT, "--listen", f"lmtp=unix:{directory}/run/lmtp"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.run(
        [own("mailspool"), "user", "add", "joe", "--site", directory, "--no-password"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return directory


def dovecot_lda(directory: Path, message: bytes) -> Callable[[], float]:
    """Make a mailbox of its own for dovecot-lda, and say how it is run."""
    account = pwd.getpwnam(ACCOUNT)
    home = directory / "home"
    for path in (directory, directory / "run", directory / "state", home):
        path.mkdir()
        os.chown(path, account.pw_uid, account.pw_gid)
    settings = directory / "dovecot.conf"
    settings.write_text(SETTINGS.format(directory=directory))
    environment = {"HOME": str(home), "USER": "joe", "PATH": os.environ["PATH"]}
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "env": environment}
    return lambda: timed([DOVECOT_LDA, "-c", settings, "-f", SENDER], message, **who)


def own(program: str) -> str:
    """The path of one of our programs."""
    return str(Path(sys.executable).with_name(program))


if __name__ == "__main__":
    main()
