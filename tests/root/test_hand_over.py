"""spool-deliver and LMTP on a UNIX socket where every user has a uid of their own: who may deliver to whom."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.installation import install_for_everybody
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

ANN: Final = FIRST_UID
BEN: Final = FIRST_UID + 1
STRANGER: Final = FIRST_UID + 7
MESSAGE: Final = b"Subject: hello\n\nbody\n"
SECONDS: Final = 60


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init(
            *("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", "--set", f"lmtp.trusted_users={STRANGER}"),
            lmtp=True,
        )
        add_users(live, [new_user("ann", 0, live), new_user("ben", 1, live)])
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture(scope="module")
def program(site: LiveSite) -> Path:
    return install_for_everybody(site.directory / "installed")


def mail(site: LiveSite, user: str) -> list[bytes]:
    """What a user has got, taken away."""
    found = []
    for path in (home_of(site, user) / "Maildir" / "new").iterdir():
        found.append(path.read_bytes())
        path.unlink()
    return found


def deliver(program: Path, site: LiveSite, uid: int, user: str) -> int:
    """Run spool-deliver as somebody; its exit status."""
    command: list[str | Path] = [
        program,
        "--exit-codes",
        "sysexits",
        "--site",
        site.site,
        "--sender=s@example.org",
        "--",
        user,
    ]
    return subprocess.run(
        command, input=MESSAGE, check=False, user=uid, group=uid, extra_groups=[], timeout=SECONDS
    ).returncode


@pytest.mark.root
@pytest.mark.parametrize(
    ("uid", "user", "status"),
    [(0, "ann", 0), (STRANGER, "ann", 0), (ANN, "ann", 0), (BEN, "ann", 75), (ANN, "nobody-here", 75)],
)
def test_the_service_takes_mail_for_others_from_those_it_trusts_only(
    site: LiveSite, program: Path, uid: int, user: str, status: int
) -> None:
    before = site.read_log().count("decided: ")
    assert deliver(program, site, uid, user) == status
    assert mail(site, "ann") == ([MESSAGE] if status == 0 else [])
    decided = site.read_log().split("decided: ")[before + 1 :]
    assert decided
    assert all(line.startswith(f"peer=unix:{uid} recipient={user} ") for line in decided)


@pytest.mark.root
def test_who_somebody_was_when_they_connected_counts(site: LiveSite) -> None:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(BEN)
        os.setuid(BEN)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(site.unix_sockets["lmtp"]))
            socket.send_fds(theirs, [b"x"], [connection.fileno()])
        os._exit(0)
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(pid, 0)
    with ours, theirs, socket.socket(fileno=descriptors[0]) as connection, connection.makefile("rwb") as stream:
        assert stream.readline().startswith(b"220 ")
        stream.write(b"LHLO root\r\nMAIL FROM:<>\r\nRCPT TO:<ann>\r\nRCPT TO:<ben>\r\nQUIT\r\n")
        stream.flush()
        replies = stream.read().splitlines()
    assert [reply[:9] for reply in replies[-3:]] == [b"450 4.7.1", b"250 2.1.5", b"221 2.0.0"]


@pytest.mark.root
def test_a_service_of_another_site_is_not_asked(site: LiveSite, program: Path) -> None:
    with open_directory() as directory:
        other = LiveSite(directory, service_account())
        other.init("--set", "auth.schemes=PLAIN")
        add_users(other, [new_user("ann", 0, other)])
        before = site.read_log()
        assert deliver(program, other, ANN, "ann") == 0
        assert mail(other, "ann") == [MESSAGE]
        assert site.read_log() == before
    assert mail(site, "ann") == []


@pytest.mark.root
def test_without_the_service_everybody_still_delivers_to_themselves_and_nobody_to_others(program: Path) -> None:
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", lmtp=True)
        add_users(live, [new_user("ann", 0, live), new_user("ben", 1, live)])
        live.start()
        assert live.stop() == 0
        assert deliver(program, live, ANN, "ann") == 0
        assert deliver(program, live, BEN, "ann") == 75
        assert mail(live, "ann") == [MESSAGE]
        assert "decided" not in live.read_log()
