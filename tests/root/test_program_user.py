"""Programs on a site whose users share a uid: run as an account that can read no mail."""

from __future__ import annotations

import os
import pwd
import smtplib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, program, service_account
from tests.interop.running import alive, counters, wait_until
from tests.root.uids import add_users, home_of, new_user

ACCOUNT: Final = "games"  # an account that every Debian has, and that owns nothing
MESSAGE: Final = b"Subject: hello\r\n\r\nbody\r\n"
STORED: Final = b"Subject: hello\n\nbody\n"
HUNG: Final = tuple(f"hung{number}" for number in range(30))
USERS: Final = ("ann", "ben", *HUNG)


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """Two users and thirty more who share the service's uid, served over LMTP."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        settings = (
            "workers.count=2",
            "auth.schemes=PLAIN",
            "lmtp.reply_seconds=12",
            "service.uid_min=1",
            f"delivery.program_user={ACCOUNT}",
            "delivery.program_penalty_first_seconds=0.001",
        )
        live.init(*(each for setting in settings for each in ("--set", setting)), lmtp=True)
        add_users(live, [new_user(user, None, live) for user in USERS])
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture
def exchange(site: LiveSite) -> Iterator[Path]:
    """A directory in which programs can write down what they are."""
    directory = site.directory / "exchange"
    directory.mkdir()
    directory.chmod(0o777)
    yield directory
    subprocess.run(["/bin/rm", "-r", str(directory)], check=True)
    for user in USERS:
        (home_of(site, user) / ".qmail").unlink(missing_ok=True)


def instruct(site: LiveSite, user: str, *lines: str) -> None:
    home = home_of(site, user)
    file = home / ".qmail"
    file.write_text("".join(f"{line}\n" for line in lines))
    file.chmod(0o600)
    os.chown(file, home.stat().st_uid, home.stat().st_gid)


def send(site: LiveSite, recipient: str) -> int:
    with smtplib.LMTP("localhost", site.port("lmtp"), timeout=120) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("s@example.net")
        code, _ = client.rcpt(recipient)
        return client.data(MESSAGE)[0] if code == 250 else code


def deliver_alone(site: LiveSite, user: str) -> subprocess.CompletedProcess[bytes]:
    command = [program("spool-deliver"), "--site", str(site.site), "--sender=s@example.net", user]
    return subprocess.run(command, input=STORED, capture_output=True, check=False)


def mail(site: LiveSite, user: str) -> int:
    found = list((home_of(site, user) / "Maildir" / "new").iterdir())
    for path in found:
        path.unlink()
    return len(found)


def processes_of(uid: int) -> list[int]:
    """The processes of a uid that do not only wait for their parent to take note of their end."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and path.stat().st_uid == uid and alive(int(path.name)):
                found.append(int(path.name))
        except FileNotFoundError:
            continue
    return found


def ask_facts(site: LiveSite, exchange: Path) -> None:
    """Have ann's program tell who it is, and look for ben's mail and instructions."""
    home = home_of(site, "ben")
    told = (
        f'id -u; id -g; id -G; pwd; umask; cat {home}/Maildir/new/* {home}/.qmail && echo read; cat; echo "$EXT$USER"'
    )
    instruct(site, "ann", f"|({told}) > {exchange}/facts; exit 0", "./Maildir/")
    (home / "Maildir" / "new" / "1.x").write_bytes(b"secret\n")
    (home / ".qmail").write_text("# secret\n")


def check_facts(site: LiveSite, exchange: Path) -> None:
    account = pwd.getpwnam(ACCOUNT)
    uid, gid = str(account.pw_uid), str(account.pw_gid)
    told = (exchange / "facts").read_text().splitlines()
    assert told == [uid, gid, gid, "/", "0077", "Subject: hello", "", "body", "ann"]
    assert (mail(site, "ann"), mail(site, "ben")) == (1, 1)


@pytest.mark.root
def test_a_program_runs_as_the_account_and_can_read_no_home(site: LiveSite, exchange: Path) -> None:
    ask_facts(site, exchange)
    assert send(site, "ann") == 250
    check_facts(site, exchange)


@pytest.mark.root
def test_spool_deliver_alone_runs_programs_as_the_account_too() -> None:
    with open_directory() as directory:
        site = LiveSite(directory, service_account())
        settings = ("auth.schemes=PLAIN", "service.uid_min=1", f"delivery.program_user={ACCOUNT}")
        site.init(*(each for setting in settings for each in ("--set", setting)))
        add_users(site, [new_user(user, None, site) for user in ("ann", "ben")])
        exchange = directory / "exchange"
        exchange.mkdir()
        exchange.chmod(0o777)
        ask_facts(site, exchange)
        ended = deliver_alone(site, "ann")
        assert ended.returncode == 0, ended.stderr
        check_facts(site, exchange)
        instruct(site, "ann", "./Maildir/", "|exit 100")
        assert deliver_alone(site, "ann").returncode == 100


@pytest.mark.root
def test_what_a_program_says_becomes_of_the_message(site: LiveSite, exchange: Path) -> None:
    del exchange
    instruct(site, "ann", "|exit 100", "./Maildir/")
    assert send(site, "ann") in range(550, 560)
    assert deliver_alone(site, "ann").returncode == 100
    instruct(site, "ann", "|exit 99", "./Maildir/")
    assert send(site, "ann") == 250
    instruct(site, "ann", "./Maildir/", "|exit 111")
    assert send(site, "ann") in range(450, 460)
    assert mail(site, "ann") == 1


@pytest.mark.root
def test_thirty_hung_programs_hold_up_nobody_and_end_with_their_time(site: LiveSite, exchange: Path) -> None:
    instruct(site, "ben", f"|echo ran >> {exchange}/ben", "./Maildir/")
    assert send(site, "ben") == 250  # so ben is known to end well
    for user in HUNG:
        instruct(site, user, "./Maildir/", f"|echo $$ > {exchange}/{user}; sleep 1000 & exec sleep 1000")
    with ThreadPoolExecutor(30) as together:
        hung = [together.submit(send, site, user) for user in HUNG]
        wait_until(lambda: counters(site, "spawner")["programs"] >= 8, "eight programs hang")
        wait_until(lambda: sum(each.done() for each in hung) == 22, "the others were told to try later")
        assert send(site, "ann") == 250
        assert send(site, "ben") == 250
        assert not any(each.done() and each.result() == 250 for each in hung)
        assert {each.result() // 10 for each in hung} == {45}
    assert (mail(site, "ann"), mail(site, "ben")) == (1, 2)
    # A delivery that got no slot has done nothing; the others had followed the line before.
    assert sum(mail(site, user) for user in HUNG) == 8
    uid = pwd.getpwnam(ACCOUNT).pw_uid
    wait_until(lambda: counters(site, "spawner")["programs"] == 0, "all slots are free")
    started = [int(file.read_text()) for file in exchange.iterdir() if file.name.startswith("hung")]
    assert len(started) == 8
    wait_until(lambda: not any(each in processes_of(uid) for each in started), "the programs have ended")
    wait_until(lambda: len(processes_of(uid)) == 0, "what they left in the background has ended")


@pytest.mark.root
@pytest.mark.parametrize(
    ("account", "why"),
    [("nobody-there", "there is no account"), ("root", "is root"), (None, "can read everybody's mail")],
)
def test_an_account_that_would_be_no_protection_is_reported(site: LiveSite, account: str | None, why: str) -> None:
    name = account or pwd.getpwuid((site.directory / "spool").stat().st_uid).pw_name
    settings = site.site / "mailspool.toml"
    before = settings.read_text()
    settings.write_text(before.replace(f'program_user = "{ACCOUNT}"', f'program_user = "{name}"'))
    try:
        checked = site.run("mailspool", "config", "check", "--site", str(site.site), ok=(1,))
        assert why.encode() in checked.stderr
    finally:
        settings.write_text(before)
