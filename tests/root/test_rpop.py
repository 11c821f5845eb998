"""RPOP from end to end: a reserved source port, names from DNS that lead back, and ``.rhosts`` in the hashed home."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.wire import Wire
from tests.root.name_server import SILENT, address_record, name_server, pointer
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

NAME_SERVER: Final = "127.0.0.53"
FRIEND: Final = "127.0.7.1"  # friend.example.org, both ways
LIAR: Final = "127.0.7.2"  # says that it is friend.example.org, whose address is another
NAMELESS: Final = "127.0.7.3"
UNKNOWABLE: Final = "127.0.7.4"  # its name server does not answer
OUTSIDER: Final = "127.0.8.1"  # not in the trusted networks
RECORDS: Final = dict(
    [
        pointer(FRIEND, "friend.example.org"),
        address_record("friend.example.org", FRIEND),
        pointer(LIAR, "friend.example.org"),
        pointer(UNKNOWABLE, SILENT),
    ]
)
UIDS: Final = {"ann": FIRST_UID, "ben": FIRST_UID + 1}


@pytest.fixture(scope="module", params=["one-uid", "many-uid"])
def site(request: pytest.FixtureRequest) -> Iterator[LiveSite]:
    """A site that trusts 127.0.7.0/24, and asks our name server: its resolv.conf is in a mount namespace of its own."""
    with open_directory() as directory, name_server(NAME_SERVER, RECORDS):
        (directory / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
        own_names = f'mount --bind {directory}/resolv.conf /etc/resolv.conf && exec "$@"'
        live = LiveSite(directory, service_account(), ("unshare", "--mount", "sh", "-c", own_names, "serve"))
        live.init(
            *("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", "--set", "auth.failure_delay_seconds=0"),
            *("--set", "pop3.rpop_networks=127.0.7.0/24", "--set", "limits.failures_per_address=0"),
        )
        many = request.param == "many-uid"
        add_users(live, [new_user(name, number if many else None, live) for number, name in enumerate(UIDS)])
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture
def rhosts(site: LiveSite) -> Iterator[Path]:
    """The place of Ann's ``.rhosts``; whatever a test puts there is gone afterwards."""
    path = home_of(site, "ann") / ".rhosts"
    yield path
    path.unlink(missing_ok=True)


def write(path: Path, content: str, *, mode: int = 0o600, owner: int | None = None) -> None:
    path.write_text(content)
    path.chmod(mode)
    uid = path.parent.stat().st_uid if owner is None else owner
    os.chown(path, uid, uid)


_ports = itertools.cycle(range(1023, 700, -1))


def reserved_port(address: str) -> int:
    """A reserved port that can be bound now."""
    for port in itertools.islice(_ports, 300):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((address, port))
            return port
    pytest.fail("all reserved ports are in use")


def ask(site: LiveSite, source: str, remote_user: str, *, port: int | None = None, user: str = "ann") -> bytes:
    """The answer to RPOP; ``port`` None is a reserved one."""
    origin = (source, reserved_port(source) if port is None else port)
    with Wire(site.addresses["pop3"], source=origin) as wire:
        wire.ok(f"USER {user}")
        answer = wire.ask(f"RPOP {remote_user}")
        if answer.startswith(b"+OK"):
            wire.ok("STAT")
            wire.ok("QUIT")
        return answer


@dataclass(frozen=True)
class Case:
    """Who asks with which ``.rhosts``, and whether they are let in."""

    rhosts: str
    source: str
    remote_user: str
    let_in: bool


CASES: Final = {
    "a host by name, and the same user": Case("friend.example.org\n", FRIEND, "ann", let_in=True),
    "a host by name, and another user": Case("friend.example.org\n", FRIEND, "ben", let_in=False),
    "a host by name, and the user it names": Case("friend.example.org smith\n", FRIEND, "smith", let_in=True),
    "a host by address": Case(f"{NAMELESS}\n", NAMELESS, "ann", let_in=True),
    "a name that does not lead back": Case("friend.example.org\n", LIAR, "ann", let_in=False),
    "a liar known by address": Case(f"{LIAR}\n", LIAR, "ann", let_in=True),
    "a lone plus": Case("+ +\n", FRIEND, "ann", let_in=False),
    "a host kept out first": Case("-friend.example.org\nfriend.example.org\n", FRIEND, "ann", let_in=False),
    "nobody": Case("", FRIEND, "ann", let_in=False),
}


@pytest.mark.root
@pytest.mark.parametrize("name", CASES)
def test_rpop_lets_in_whom_rhosts_names_and_nobody_else(site: LiveSite, rhosts: Path, name: str) -> None:
    case = CASES[name]
    write(rhosts, case.rhosts)
    answer = ask(site, case.source, case.remote_user)
    assert answer.startswith(b"+OK") if case.let_in else answer.startswith(b"-ERR")


@pytest.mark.root
def test_one_users_rhosts_says_nothing_about_another(site: LiveSite, rhosts: Path) -> None:
    write(rhosts, "friend.example.org +\n")
    assert ask(site, FRIEND, "ben").startswith(b"+OK")
    assert ask(site, FRIEND, "ben", user="ben").startswith(b"-ERR")


@pytest.mark.root
def test_an_unreserved_port_is_refused(site: LiveSite, rhosts: Path) -> None:
    write(rhosts, "friend.example.org\n")
    assert ask(site, FRIEND, "ann", port=0).startswith(b"-ERR")


@pytest.mark.root
def test_outside_of_the_trusted_networks_there_is_no_rpop(site: LiveSite, rhosts: Path) -> None:
    write(rhosts, f"{OUTSIDER}\n")
    assert ask(site, OUTSIDER, "ann").startswith(b"-ERR")


@pytest.mark.root
@pytest.mark.parametrize("site", ["one-uid"], indirect=True)  # it takes as long as a look-up may
def test_trouble_with_the_name_server_is_temporary_and_lets_nobody_in(site: LiveSite, rhosts: Path) -> None:
    write(rhosts, f"{UNKNOWABLE}\n")
    assert ask(site, UNKNOWABLE, "ann").startswith(b"-ERR [SYS/TEMP]")


@pytest.mark.root
@pytest.mark.parametrize("fault", ["group may write", "others may write", "a stranger's", "a link", "a second name"])
def test_a_rhosts_that_somebody_else_could_have_written_is_not_believed(
    site: LiveSite, rhosts: Path, fault: str
) -> None:
    write(rhosts, "friend.example.org\n")
    assert ask(site, FRIEND, "ann").startswith(b"+OK")
    match fault:
        case "group may write":
            rhosts.chmod(0o620)
        case "others may write":
            rhosts.chmod(0o602)
        case "a stranger's":
            write(rhosts, "friend.example.org\n", owner=FIRST_UID + 7, mode=0o644)
        case "a link":
            rhosts.rename(rhosts.with_name("real"))
            rhosts.symlink_to("real")
        case _:
            rhosts.with_name("real").hardlink_to(rhosts)
    try:
        assert ask(site, FRIEND, "ann").startswith(b"-ERR [AUTH]")
    finally:
        rhosts.with_name("real").unlink(missing_ok=True)
