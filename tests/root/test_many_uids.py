"""A site where every user has their own uid: who serves whom, and what a user's planted links can reach."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, program, service_account
from tests.interop.needs import need_program
from tests.interop.running import family, pids, wait_until
from tests.interop.user_database import traced
from tests.interop.wire import ConnectionEndedError, Wire, look_at
from tests.root.uids import FIRST_UID, Rights, add_users, home_of, new_user, rights_of

ANN, BEN, MBX, SECRETS = (FIRST_UID + number for number in range(4))
SECRET_MAIL: Final = b"Subject: for ben only\n\nben's secret\n"
ADDRESS: Final = "127.0.0.9"  # so that nobody else's POP3 server is in the way


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """Ann and Ben with Maildirs, Mbx with an mbox; reserved ports; the passwords belong to an account of their own."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", "auth.failure_delay_seconds=0")
        settings = live.site / "mailspool.toml"
        text = settings.read_text().replace('"127.0.0.1:0"', f'"{ADDRESS}:110"', 1)
        settings.write_text(text.replace('"127.0.0.1:0"', f'"{ADDRESS}:995"', 1))
        add_users(live, [new_user("ann", 0, live), new_user("ben", 1, live)])
        live.add_user("mbx", "--maildrop", "mbox", "--uid", str(MBX), "--gid", str(MBX))
        for name in ("passwd", "apop"):
            os.chown(live.site / "control" / name, SECRETS, SECRETS)
        live.start()
        for user in ("ann", "ben", "mbx"):
            live.deliver(user, SECRET_MAIL.replace(b"ben", user.encode()))
        yield live
        assert live.stop() == 0


def as_user(uid: int, *command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, check=False)


def answer_to_login(site: LiveSite, user: str) -> bytes:
    with Wire(site.addresses["pop3"]) as wire:
        return wire.login(user)


# -- processes --------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_reserved_ports_are_bound_and_no_process_that_meets_the_network_keeps_a_right(site: LiveSite) -> None:
    assert site.addresses == {"pop3": (ADDRESS, 110), "pop3s": (ADDRESS, 995)}
    spool = (site.directory / "spool").stat()
    service = Rights(frozenset({spool.st_uid}), frozenset({spool.st_gid}), frozenset(), capable=False)
    assert [rights_of(pid) for pid in pids(site, "worker")] == [service, service]


@pytest.mark.root
def test_the_authenticator_is_whom_the_password_file_belongs_to(site: LiveSite) -> None:
    expected = Rights(frozenset({SECRETS}), frozenset({SECRETS}), frozenset(), capable=False)
    assert [rights_of(pid) for pid in pids(site, "authenticator")] == [expected]
    assert stat.S_IMODE((site.site / "control" / "passwd").stat().st_mode) == 0o600


@pytest.mark.root
@pytest.mark.parametrize(("user", "uid"), [("ann", ANN), ("mbx", MBX)])
def test_a_session_is_served_by_a_process_that_has_become_its_user(site: LiveSite, user: str, uid: int) -> None:
    assert site.process is not None
    with Wire(site.addresses["pop3"]) as wire:
        assert wire.login(user).startswith(b"+OK")
        (serving,) = [pid for pid in family(site.process.pid) if uid in rights_of(pid).uids]
        assert rights_of(serving) == Rights(frozenset({uid}), frozenset({uid}), frozenset(), capable=False)
        sockets = [str(path.readlink()) for path in Path(f"/proc/{serving}/fd").iterdir()]
        assert not any(_listens(inode) for inode in sockets)
        wire.ok("QUIT")


def _listens(link: str) -> bool:
    inode = link.removeprefix("socket:[").removesuffix("]")
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return any(fields[9:10] == [inode] and fields[3] == "0A" for fields in lines)


@pytest.mark.root
def test_a_session_of_one_user_leaves_no_process_that_serves_another(site: LiveSite) -> None:
    for user in ("ann", "ben", "ann", "ben"):
        seen = look_at(site.addresses["pop3"], user)
        assert all(user.encode() in message for message in seen.messages)


@pytest.mark.root
def test_becoming_a_user_does_not_ask_the_systems_user_database(site: LiveSite) -> None:
    need_program("strace")
    assert site.process is not None
    with traced(family(site.process.pid), site.directory / "trace") as trace:
        for user in ("ann", "mbx"):
            look_at(site.addresses["pop3"], user)
    assert "Mailbox" in trace.read()
    assert trace.questions() == []


# -- homes ------------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_no_user_can_read_what_lies_in_anothers_home(site: LiveSite) -> None:
    ben = home_of(site, "ben")
    assert as_user(BEN, "find", str(ben), "-type", "f").stdout  # the owner can
    for command in (["ls", str(ben)], ["find", str(ben / "Maildir")], ["cat", str(ben / ".mailspool")]):
        result = as_user(ANN, *command)
        assert result.returncode != 0
        assert not result.stdout.replace(bytes(ben / "Maildir"), b"").strip()
    for path in ben.rglob("*"):
        assert path.stat().st_uid == BEN
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.root
def test_the_spool_does_not_tell_a_user_who_else_there_is(site: LiveSite) -> None:
    assert as_user(ANN, "ls", str(site.directory / "spool")).returncode != 0


PLANTED: Final = {
    "new": ("Maildir/new", "Maildir/new"),
    "cur": ("Maildir/cur", "Maildir/cur"),
    "the Maildir": ("Maildir", "Maildir"),
    "our own directory": (".mailspool", ".mailspool"),
}


@pytest.mark.root
@pytest.mark.parametrize("name", PLANTED)
def test_a_link_planted_in_a_home_leads_a_login_nowhere(site: LiveSite, name: str) -> None:
    place, target = PLANTED[name]
    planted, kept = home_of(site, "ann") / place, home_of(site, "ann") / "kept"
    before = _everything(home_of(site, "ben"))
    planted.rename(kept)
    planted.symlink_to(home_of(site, "ben") / target)
    os.chown(planted, ANN, ANN, follow_symlinks=False)
    try:
        answer = _all_that_is_sent(site, "ann")
        assert b"secret" not in answer.replace(b"ann's secret", b"")
        assert b"-ERR [SYS/" in answer
    finally:
        planted.unlink()
        kept.rename(planted)
    assert _everything(home_of(site, "ben")) == before
    assert answer_to_login(site, "ann").startswith(b"+OK")


def _all_that_is_sent(site: LiveSite, user: str) -> bytes:
    octets = b""
    try:
        with Wire(site.addresses["pop3"]) as wire:
            octets += wire.login(user)
            octets += b"".join(wire.look().messages)
    except (AssertionError, ConnectionEndedError) as error:
        octets += str(error).encode()
    return octets


def _everything(directory: Path) -> dict[Path, bytes | None]:
    # Without our own directory: Ben's own logins write there.
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
        if ".mailspool" not in path.parts
    }


@pytest.mark.root
@pytest.mark.parametrize("linked", ["symbolic", "hard"])
def test_a_mailbox_that_is_a_link_to_anothers_file_is_not_read(site: LiveSite, linked: str) -> None:
    mailbox, kept = home_of(site, "mbx") / "Mailbox", home_of(site, "mbx") / "kept"
    theirs = home_of(site, "ben") / "private"
    theirs.write_bytes(b"From a@example.org Wed May 20 09:00:00 1998\n" + SECRET_MAIL)
    os.chown(theirs, BEN, BEN)
    theirs.chmod(0o600)
    mailbox.rename(kept)
    if linked == "symbolic":
        mailbox.symlink_to(theirs)
    else:
        mailbox.hardlink_to(theirs)  # which only root could have made, or a kernel without protected_hardlinks
    try:
        assert b"ben's secret" not in _all_that_is_sent(site, "mbx")
        assert answer_to_login(site, "mbx").startswith(b"-ERR [SYS/")
        delivered = _deliver(site, "mbx")
        assert delivered.returncode == 111
        assert theirs.read_bytes().endswith(SECRET_MAIL)
    finally:
        mailbox.unlink()
        kept.rename(mailbox)
        theirs.unlink()


@pytest.mark.root
@pytest.mark.parametrize("name", ["new", "the Maildir"])
def test_a_link_planted_in_a_home_leads_a_delivery_nowhere(site: LiveSite, name: str) -> None:
    place, target = PLANTED[name]
    planted, kept = home_of(site, "ann") / place, home_of(site, "ann") / "kept"
    before = _everything(home_of(site, "ben"))
    planted.rename(kept)
    planted.symlink_to(home_of(site, "ben") / target)
    try:
        assert _deliver(site, "ann").returncode == 111
        assert _everything(home_of(site, "ben")) == before
    finally:
        planted.unlink()
        kept.rename(planted)


def _deliver(site: LiveSite, user: str) -> subprocess.CompletedProcess[bytes]:
    command = [program("spool-deliver"), "--site", str(site.site), user]
    return subprocess.run(command, input=SECRET_MAIL, capture_output=True, check=False)


@pytest.mark.root
def test_a_delivery_by_root_is_the_recipients_own(site: LiveSite) -> None:
    site.deliver("ben", SECRET_MAIL)
    files = [path for path in (home_of(site, "ben") / "Maildir").rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_uid for path in files} == {BEN}


@pytest.mark.root
@pytest.mark.parametrize("trouble", ["missing", "another uid's"])
def test_a_home_that_is_not_as_it_should_be_is_temporary_for_login_and_delivery(site: LiveSite, trouble: str) -> None:
    ann = home_of(site, "ann")
    away = ann.with_name("ann.away")
    ann.rename(away)
    try:
        if trouble == "another uid's":
            shutil.copytree(home_of(site, "ben"), ann)
            os.chown(ann, BEN, BEN)
        assert answer_to_login(site, "ann").startswith(b"-ERR [SYS/TEMP]")
        assert _deliver(site, "ann").returncode == 111
        assert ann.exists() == (trouble == "another uid's")
    finally:
        if ann.exists():
            shutil.rmtree(ann)
        away.rename(ann)
    wait_until(lambda: answer_to_login(site, "ann").startswith(b"+OK"), "the home is back")
