"""POP3 servers that users are moved away from, each run from its own directory on 127.0.0.1.

``.ci/unpack-peers`` unpacks those that Debian does not install beside Dovecot; nothing of theirs is installed or
started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.interop.peers import PEER_SECONDS, Account, free_port, wait_until_answered

PEERS: Final = Path(os.environ.get("MAILSPOOL_PEERS", "/opt/mailspool-peers"))
COURIER: Final = PEERS / "usr/lib/courier/courier/courierpop3d"
POPA3D: Final = PEERS / "usr/sbin/popa3d"

_HERE: Final = Path(__file__).parent
# popa3d works from fixed paths: files below /etc, /var/mail, and an empty directory of its own. What it sees there is
# seen by its processes alone; /etc is a copy with some users more.
_NAMESPACE: Final = """\
mount --make-rprivate /
mount --bind "$0/etc" /etc
mount --bind "$0/mail" /var/mail
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/popa3d
exec "$@"
"""


@contextlib.contextmanager
def courier(account: Account, homes: Path, password: str) -> Iterator[int]:
    """Run Courier's POP3 server for whoever has a home with a Maildir in ``homes``; gives the port. Needs root."""
    libraries = ":".join(str(PEERS / each) for each in ("usr/lib", "usr/lib/x86_64-linux-gnu"))
    login = (sys.executable, str(_HERE / "courier_login.py"), str(account.uid), str(account.gid), password, str(homes))
    with _served((), (*login, str(COURIER)), {"LD_LIBRARY_PATH": libraries}) as port:
        yield port


@contextlib.contextmanager
def popa3d(directory: Path, account: Account, mboxes: Mapping[str, Path], password: str) -> Iterator[int]:
    """Run popa3d with copies of the users' mboxes; gives the port. Needs root.

    Args:
        directory: made for it.
        account: whom the mboxes belong to.
        mboxes: by user.
        password: of all.
    """
    etc, mail = directory / "etc", directory / "mail"
    directory.mkdir()
    subprocess.run(["cp", "--archive", "/etc", etc], check=True)  # with whatever a machine has there, sockets as well
    shutil.copy(PEERS / "etc/pam.d/popa3d", etc / "pam.d")
    mail.mkdir()
    digest = subprocess.run(["openssl", "passwd", "-5", password], capture_output=True, check=True, text=True).stdout
    _append(etc / "group", "popa3d:x:65111:")
    _append(etc / "passwd", "popa3d:x:65111:65111::/nonexistent:/usr/sbin/nologin")
    for user, mbox in mboxes.items():
        _append(etc / "passwd", f"{user}:x:{account.uid}:{account.gid}::/nonexistent:/bin/sh")
        _append(etc / "shadow", f"{user}:{digest.strip()}:19000:0:99999:7:::")
        shutil.copy(mbox, mail / user)
        os.chown(mail / user, account.uid, account.gid)
    namespace = ("unshare", "--mount", "sh", "-c", _NAMESPACE, str(directory))
    with _served(namespace, (str(POPA3D),), {}) as port:
        yield port


@contextlib.contextmanager
def _served(before: Sequence[str], program: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    port = free_port()
    command = [*before, sys.executable, str(_HERE / "inetd.py"), str(port), *program]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, **environment}) as inetd:
        try:
            wait_until_answered(port)
            yield port
        finally:
            inetd.terminate()
            inetd.wait(PEER_SECONDS)


def _append(file: Path, line: str) -> None:
    with file.open("a") as open_file:
        open_file.write(line + "\n")
