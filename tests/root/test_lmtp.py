"""LMTP on a site where every user has a uid of their own."""

from __future__ import annotations

import os
import signal
import smtplib
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from bench.hung_file_system import can_hang, hung_file_system
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need
from tests.interop.running import alive, counters, family, wait_until
from tests.interop.wire import Wire
from tests.root.uids import FIRST_UID, add_users, home_of, new_user, rights_of

USERS: Final = ("ann", "ben", "cat", "dan")
SENDER: Final = "sender@example.org"
MESSAGE: Final = b"Subject: hello\r\n\r\nbody\r\n"
STORED: Final = b"Subject: hello\n\nbody\n"


def uid_of(user: str) -> int:
    return FIRST_UID + USERS.index(user)


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """Four users with Maildirs, served by two workers."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init(
            "--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", "lmtp.reply_seconds=24", lmtp=True
        )
        add_users(live, [new_user(user, number, live) for number, user in enumerate(USERS)])
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture(autouse=True)
def afresh(site: LiveSite) -> Iterator[None]:
    """Take away what a test has left: mail, and instructions."""
    yield
    for user in USERS:
        mail(site, user)
        (home_of(site, user) / ".qmail").unlink(missing_ok=True)


def send(site: LiveSite, *recipients: str) -> dict[str, int]:
    """Send a message; the code of the last reply for each recipient."""
    with smtplib.LMTP("localhost", site.port("lmtp")) as client:
        client.ehlo_or_helo_if_needed()
        client.mail(SENDER)
        codes = {recipient: client.rcpt(recipient)[0] for recipient in recipients}
        good = [recipient for recipient, code in codes.items() if code == 250]
        if good:
            codes[good[0]] = client.data(MESSAGE)[0]
            codes.update({recipient: client.getreply()[0] for recipient in good[1:]})
    return codes


def mail(site: LiveSite, user: str) -> list[bytes]:
    """What lies in a user's Maildir, which is emptied."""
    found = sorted((home_of(site, user) / "Maildir" / "new").iterdir())
    octets = [path.read_bytes() for path in found]
    for path in found:
        path.unlink()
    return octets


def instruct(site: LiveSite, user: str, *lines: str) -> None:
    """Write a user's instructions, as the user."""
    file = home_of(site, user) / ".qmail"
    file.write_text("".join(f"{line}\n" for line in lines))
    file.chmod(0o600)
    os.chown(file, uid_of(user), uid_of(user))


def written(site: LiveSite, user: str, name: str) -> Path:
    """A file in a user's home, once it is there and whole."""
    file = home_of(site, user) / name
    wait_until(file.exists, f"{file} is there")
    return file


def programs(user: str) -> list[int]:
    """The processes of a user that are nobody's but theirs: mail processes, which they must not touch, are root's."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _owner(path) == uid_of(user)]
    return [pid for pid in found if alive(pid)]


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:  # a process that has ended meanwhile
        return None


@pytest.mark.root
def test_one_message_reaches_many_homes_and_is_each_users_own(site: LiveSite) -> None:
    assert send(site, *USERS) == dict.fromkeys(USERS, 250)
    for user in USERS:
        (file,) = (home_of(site, user) / "Maildir" / "new").iterdir()
        status = file.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (uid_of(user), uid_of(user), 0o600)
        assert status.st_nlink == 1
        assert mail(site, user) == [STORED]


@pytest.mark.root
def test_what_cannot_be_delivered_is_known_at_rcpt(site: LiveSite) -> None:
    instruct(site, "ben", "./Maildir/")
    (home_of(site, "ben") / ".qmail").chmod(0o666)  # anybody may have written it
    ann = home_of(site, "ann")
    away = ann.rename(ann.with_name("ann.away"))
    try:
        assert send(site, "nobody", "ann", "ben", "cat") == {"nobody": 550, "ann": 451, "ben": 451, "cat": 250}
    finally:
        away.rename(ann)
    assert (mail(site, "ann"), mail(site, "cat")) == ([], [STORED])


@pytest.mark.root
def test_a_program_has_its_users_rights_and_limits_and_no_more(site: LiveSite) -> None:
    facts = (
        "id -u; id -g; id -G; umask; pwd; ulimit -c; ulimit -n; ulimit -v; "
        "cat /proc/self/status | grep CapEff; ls /proc/self/fd | tr '\\n' ' '; echo; ps -o pgid= -p $$"
    )
    instruct(site, "ann", f"|({facts}) > facts; mv facts told")
    assert send(site, "ann") == {"ann": 250}
    told = written(site, "ann", "told")
    lines = told.read_text().splitlines()
    told.unlink()
    uid = str(uid_of("ann"))
    assert lines[:8] == [uid, uid, uid, "0077", str(home_of(site, "ann")), "0", "256", str((1 << 30) // 1024)]
    assert int(lines[8].split()[1], 16) == 0
    assert lines[9].split()[:3] == ["0", "1", "2"]
    assert len(lines[9].split()) <= 4  # and the directory that ls reads


@pytest.mark.root
def test_a_program_that_hangs_makes_its_own_mail_wait_and_no_other(site: LiveSite) -> None:
    instruct(site, "ann", "|echo $$ > started; mv started pid; sleep 1000 & wait")
    with ThreadPoolExecutor(2) as together:
        hung = together.submit(send, site, "ann", "ben")
        pid = int(written(site, "ann", "pid").read_text())
        assert send(site, "cat", "ben") == {"cat": 250, "ben": 250}
        assert not hung.done()
        assert counters(site, "spawner")["programs"] == 1
        assert send(site, "ann") == {"ann": 451}  # one program at a time, refused before a line was followed
        assert hung.result() == {"ann": 451, "ben": 250}
    (home_of(site, "ann") / "pid").unlink()
    wait_until(lambda: not alive(pid), "the program has ended")
    wait_until(lambda: counters(site, "spawner")["programs"] == 0, "the slot is given back")
    assert counters(site, "spawner")["users_penalised"] == 1
    assert len(mail(site, "ben")) == 2


@pytest.mark.root
def test_a_users_program_sees_into_no_delivery_process_and_does_not_outlive_it(site: LiveSite) -> None:
    instruct(site, "dan", "|echo $$ > started; mv started pid; sleep 1000 & wait")
    assert site.process is not None
    with ThreadPoolExecutor(1) as together:
        sending = together.submit(send, site, "dan")
        program = int(written(site, "dan", "pid").read_text())
        (home_of(site, "dan") / "pid").unlink()
        # Besides the one that delivers there may be one that has checked the recipient and was not idle soon enough.
        processes = [pid for pid in family(site.process.pid) if uid_of("dan") in rights_of(pid).uids]
        assert processes
        for process in processes:
            looking = ["ls", f"/proc/{process}/fd", f"/proc/{process}/cwd/"]
            assert subprocess.run(looking, user=uid_of("dan"), group=uid_of("dan"), check=False).returncode != 0
        for process in processes:
            with suppress(ProcessLookupError):  # an idle one may have been let go
                os.kill(process, signal.SIGKILL)
        assert sending.result() == {"dan": 451}
    wait_until(lambda: programs("dan") == [], "nothing of the user runs")
    assert not alive(program)


@pytest.mark.root
def test_a_users_instructions_reach_nobody_elses_mail(site: LiveSite) -> None:
    assert send(site, "ben") == {"ben": 250}
    ben = home_of(site, "ben")
    stolen = home_of(site, "cat") / "stolen"
    before = sorted(path.name for path in (ben / "Maildir" / "new").iterdir())
    for line, code in [
        (f"|cat {ben}/Maildir/new/* > stolen 2>&1 || exit 100", 550),
        (f"|echo forged > {ben}/Maildir/new/forged || exit 100", 550),
        (f"{ben}/Maildir/", 451),
        (f"{ben}/Mailbox", 451),
        ("./to-ben/", 451),
    ]:
        instruct(site, "cat", line)
        link = home_of(site, "cat") / "to-ben"
        link.unlink(missing_ok=True)
        link.symlink_to(ben / "Maildir")
        assert send(site, "cat") == {"cat": code}, line
    link.unlink()
    assert b"hello" not in stolen.read_bytes()
    assert sorted(path.name for path in (ben / "Maildir" / "new").iterdir()) == before
    assert not (ben / "Mailbox").exists()


@pytest.mark.root
def test_sessions_and_deliveries_of_a_user_go_on_side_by_side(site: LiveSite) -> None:
    with Wire(site.addresses["pop3"]) as wire:
        assert wire.login("ann").startswith(b"+OK")
        for _ in range(3):
            assert send(site, "ann", "ben") == {"ann": 250, "ben": 250}
        wire.ok("QUIT")
    with Wire(site.addresses["pop3"]) as wire:
        assert wire.login("ann").startswith(b"+OK")
        assert len(wire.look().messages) == 3
    figures = counters(site, "spawner")
    assert figures["forked"] >= 1
    assert figures["delivery_reused"] >= 4


@pytest.mark.root
def test_where_another_can_write_the_directory_of_users_nobody_becomes_a_user_by_it(site: LiveSite) -> None:
    control = site.site / "control"
    os.chown(control, uid_of("dan"), uid_of("dan"))
    try:
        assert send(site, "ann") == {"ann": 451}
    finally:
        os.chown(control, 0, 0)
    assert "who could become any user by it" in site.read_log()
    assert send(site, "ann") == {"ann": 250}


@pytest.mark.root
def test_homes_that_hang_hold_up_nobody_elses_mail() -> None:
    need(can_hang(), "/dev/fuse")
    hung = [f"hung{number}" for number in range(6)]
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", lmtp=True)
        away = directory / "hung"
        away.mkdir()
        users = [new_user(user, number, live, away / user) for number, user in enumerate(hung)]
        add_users(live, [*users, new_user("well", len(hung), live)])
        live.start()
        try:
            with ThreadPoolExecutor(len(hung)) as together:
                with hung_file_system(away):
                    waiting = [together.submit(send, live, user) for user in hung]
                    wait_until(lambda: counters(live, "spawner")["delivery_processes"] >= 1, "somebody hangs")
                    assert send(live, "well") == {"well": 250}
                    assert not any(each.done() for each in waiting)
                    assert [each.result() for each in waiting] == [{user: 451} for user in hung]
                wait_until(lambda: counters(live, "spawner")["delivery_dying"] == 0, "the hung processes are gone")
            wait_until(lambda: send(live, hung[0]) == {hung[0]: 250}, "the home is back")
        finally:
            assert live.stop() == 0
