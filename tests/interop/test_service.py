"""``mailspool serve`` as an operator sees it: signals, deaths, reloads, and what sessions notice of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, TypeAlias

import pytest

from serving.certificates import make_self_signed
from tests.interop.live_site import PASSWORD, LiveSite, open_directory, program, service_account
from tests.interop.needs import need, need_program
from tests.interop.running import alive, family, pids, status, wait_until
from tests.interop.user_database import STRACE, Trace, traced
from tests.interop.wire import ConnectionEndedError, Wire

USERS: Final = ("alice", "bob")
MESSAGE: Final = b"Subject: kept\n\ntext\n"
OPTIONS: Final = ("--set", "workers.drain_seconds=20")

Start: TypeAlias = Callable[..., LiveSite]


@pytest.fixture(scope="module")
def made() -> Iterator[LiveSite]:
    """A site with two users, not served yet."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", "auth.failure_delay_seconds=0")
        for user, kind in zip(USERS, ("maildir", "mbox"), strict=True):
            live.add_user(user, "--maildrop", kind)
        yield live


@pytest.fixture
def start(made: LiveSite) -> Iterator[Start]:
    """Serves the site with options; it is stopped at the end, whatever happened, if it was not."""

    def serve(*options: str) -> LiveSite:
        made.start(*OPTIONS, *options)
        return made

    yield serve
    made.stop()


@pytest.fixture
def site(start: Start) -> LiveSite:
    """The served site."""
    return start()


def session(site: LiveSite, user: str = "alice") -> Wire:
    """A session in TRANSACTION."""
    wire = Wire(site.addresses["pop3"])
    assert wire.login(user).startswith(b"+OK")
    return wire


def can_log_in(site: LiveSite, user: str = "alice") -> bool:
    """Whether a login succeeds now."""
    try:
        with Wire(site.addresses["pop3"], seconds=5) as wire:
            return wire.login(user).startswith(b"+OK") and wire.ask("QUIT").startswith(b"+OK")
    except (OSError, ConnectionEndedError):
        return False


def count(wire: Wire) -> int:
    """How many messages the session sees."""
    return int(wire.ok("STAT").split()[1])


def send_signal(site: LiveSite, number: int) -> None:
    assert site.process is not None
    site.process.send_signal(number)


# -- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_sigterm_lets_a_session_finish_and_then_exits_with_0(site: LiveSite) -> None:
    site.deliver("alice", MESSAGE)
    with session(site) as wire, Wire(site.addresses["pop3"]) as idle:
        before = count(wire)
        send_signal(site, signal.SIGTERM)
        assert idle.ended()
        wait_until(lambda: not _accepts(site.addresses["pop3"]), "the listener is closed")
        wire.many(f"RETR {before}")
        wire.ok(f"DELE {before}")
        wire.ok("QUIT")
    assert site.process is not None
    assert site.process.wait(20) == 0
    site.stop()
    site.start()
    with session(site) as wire:
        assert count(wire) == before - 1


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


@pytest.mark.interop
def test_sigterm_ends_sessions_that_do_not_end_in_drain_seconds(start: Start) -> None:
    site = start("--set", "workers.drain_seconds=0.5")
    with session(site):
        assert site.stop() == 0


@pytest.mark.interop
def test_sighup_with_bad_settings_keeps_the_old_ones_and_says_why(site: LiveSite) -> None:
    settings = site.site / "mailspool.toml"
    good = settings.read_text()
    workers = pids(site, "worker")
    try:
        settings.write_text(good + "\n[limits]\nconections = 7\n")
        send_signal(site, signal.SIGHUP)
        wait_until(lambda: "going on as before" in site.read_log(), "the refusal is logged")
    finally:
        settings.write_text(good)
    refusal = next(line for line in site.read_log().splitlines() if "going on as before" in line)
    assert str(settings) in refusal
    assert "conections" in refusal
    assert pids(site, "worker") == workers
    assert can_log_in(site)


@pytest.mark.interop
def test_sighup_takes_new_settings_and_open_sessions_go_on(site: LiveSite) -> None:
    settings = site.site / "mailspool.toml"
    good = settings.read_text()
    before = pids(site, "worker")
    with session(site) as wire:
        try:
            settings.write_text(good + "\n[pop3]\nexpire_days = 17\n")
            send_signal(site, signal.SIGHUP)
            wait_until(lambda: not set(pids(site, "worker")) & set(before), "new workers are ready")
            with Wire(site.addresses["pop3"]) as fresh:
                assert b"EXPIRE 17" in fresh.many("CAPA")
        finally:
            settings.write_text(good)
        wire.ok("NOOP")
        wire.ok("QUIT")


@pytest.mark.interop
def test_sighup_serves_a_new_certificate(site: LiveSite) -> None:
    old = _served_certificate(site)
    certificate, key = make_self_signed("mail.example.org")
    for name, content in (("certificate.pem", certificate), ("key.pem", key)):
        (site.site / "tls" / name).write_bytes(content)
    assert _served_certificate(site) == old
    send_signal(site, signal.SIGHUP)
    expected = ssl.PEM_cert_to_DER_cert(certificate.decode())
    wait_until(lambda: _served_certificate(site) == expected, "the new certificate is served")


def _served_certificate(site: LiveSite) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(site.addresses["pop3s"], 10) as plain,
        context.wrap_socket(plain) as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


# -- deaths -----------------------------------------------------------------------------------------------------------


def _sessions_on_both_workers(site: LiveSite) -> dict[int, Wire]:
    """One session in TRANSACTION on each worker; which accepts a connection is the kernel's choice."""
    found: dict[int, Wire] = {}
    for _ in range(200):
        before = _open_sessions(site)
        wire = Wire(site.addresses["pop3"])
        after = _open_sessions(site)
        pid = next(pid for pid in after if after[pid] > before[pid])
        if pid in found:
            wire.close()
            wait_until(lambda: _open_sessions(site) == before, "the connection is gone")  # noqa: B023 - called at once
            continue
        assert wire.login(USERS[len(found)]).startswith(b"+OK")
        found[pid] = wire
        if len(found) == 2:
            return found
    pytest.fail("one worker accepts everything")


def _open_sessions(site: LiveSite) -> dict[int, int]:
    return {
        child["pid"]: child["counters"].get("connections_open", 0)
        for child in status(site)["children"]
        if child["role"] == "worker"
    }


@pytest.mark.interop
def test_a_killed_worker_is_replaced_and_the_sessions_of_the_other_go_on(site: LiveSite) -> None:
    (killed, lost), (other, kept) = _sessions_on_both_workers(site).items()
    os.kill(killed, signal.SIGKILL)
    assert lost.ended()
    kept.ok("NOOP")
    wait_until(lambda: len(pids(site, "worker")) == 2, "the worker is replaced")
    assert other in pids(site, "worker")
    assert status(site)["restarts"]["worker"] == 1
    kept.ok("STAT")
    with session(site) as again:  # the lock of the lost session is free
        again.ok("QUIT")
    kept.ok("QUIT")


@pytest.mark.interop
def test_logins_work_again_when_the_authenticator_was_killed(site: LiveSite) -> None:
    (authenticator,) = pids(site, "authenticator")
    with session(site, "bob") as wire:
        os.kill(authenticator, signal.SIGKILL)
        wait_until(lambda: can_log_in(site), "logins work again")
        wire.ok("NOOP")
        wire.ok("QUIT")
    assert pids(site, "authenticator") != [authenticator]


@pytest.mark.interop
def test_a_killed_supervisor_leaves_no_process_behind(site: LiveSite) -> None:
    assert site.process is not None
    everybody = family(site.process.pid)
    assert len(everybody) >= 4
    with session(site):
        site.process.kill()
        site.process.wait()
        wait_until(lambda: not any(map(alive, everybody)), "all processes have ended")
    site.stop()
    site.start()  # nor a lock, nor a socket that would be in the way
    assert can_log_in(site)


# -- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("user", USERS)
def test_a_second_session_on_one_maildrop_is_refused_as_in_use(site: LiveSite, user: str) -> None:
    with session(site, user), Wire(site.addresses["pop3"]) as second:
        assert second.login(user).startswith(b"-ERR [IN-USE]")
    wait_until(lambda: can_log_in(site, user), "the maildrop is free when the first one vanished")


@pytest.mark.interop
@pytest.mark.parametrize("user", USERS)
def test_a_second_session_waits_its_turn_where_busy_is_wait(start: Start, user: str) -> None:
    site = start("--set", "pop3.busy=wait")
    with session(site, user) as first, Wire(site.addresses["pop3"]) as second:
        second.ok(f"USER {user}")
        second.send(f"PASS {PASSWORD}\r\n".encode())
        first.ok("NOOP")
        first.ok("QUIT")
        assert second.line().startswith(b"+OK")


@pytest.mark.interop
@pytest.mark.parametrize("user", USERS)
def test_a_second_session_reads_and_cannot_delete_where_busy_is_share(start: Start, user: str) -> None:
    site = start("--set", "pop3.busy=share")
    site.deliver(user, MESSAGE)
    with session(site, user) as first, session(site, user) as second:
        assert count(first) == count(second)
        assert second.many(f"RETR {count(second)}") == MESSAGE.replace(b"\n", b"\r\n")
        assert second.ask("DELE 1").startswith(b"-ERR")
        second.ok("QUIT")
        first.ok("DELE 1")
        first.ok("QUIT")


@pytest.mark.interop
@pytest.mark.parametrize("user", USERS)
def test_mail_that_comes_during_a_session_is_in_the_next_one(site: LiveSite, user: str) -> None:
    site.deliver(user, MESSAGE)
    with session(site, user) as wire:
        before = count(wire)
        site.deliver(user, b"Subject: came meanwhile\n\n1\n")
        assert count(wire) == before
        for number in range(1, before + 1):
            wire.ok(f"DELE {number}")
        wire.ok("QUIT")
    with session(site, user) as wire:
        assert count(wire) == 1
        assert wire.many("RETR 1") == b"Subject: came meanwhile\r\n\r\n1\r\n"
        wire.ok("QUIT")


# -- administration ---------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_status_tells_the_processes_and_what_they_have_done(site: LiveSite) -> None:
    with session(site):
        shown = json.loads(site.run("mailspool", "status", "--json").stdout)
    assert site.process is not None
    assert shown["pid"] == site.process.pid
    assert {child["role"] for child in shown["children"]} >= {"authenticator", "worker"}
    workers = [child["counters"] for child in shown["children"] if child["role"] == "worker"]
    assert sum(worker["logins"] for worker in workers) == 1
    assert sum(worker["open_sessions"] for worker in workers) == 1
    assert b"authenticator" in site.run("mailspool", "status").stdout


@pytest.mark.interop
def test_two_users_added_at_once_are_both_there_and_can_log_in_without_a_reload(site: LiveSite) -> None:
    names = ("carol", "dave", "carol")
    added = [_add_in_background(site, name) for name in names]
    outcomes = [process.wait(60) for process in added]
    errors = [_text(process.stderr) for process in added]
    assert outcomes[1] == 0, errors
    assert sorted((outcomes[0], outcomes[2])) == [0, 1], errors
    assert set(site.run("mailspool", "user", "list").stdout.decode().split()) >= {"alice", "bob", "carol", "dave"}
    assert site.run("mailspool", "config", "check").stdout.endswith(b"ok\n")
    assert can_log_in(site, "carol")
    assert can_log_in(site, "dave")


def _add_in_background(site: LiveSite, name: str) -> subprocess.Popen[str]:
    with tempfile.TemporaryFile() as password:
        password.write(PASSWORD.encode() + b"\n")
        password.seek(0)
        return subprocess.Popen(
            [program("mailspool"), "user", "add", name, "--site", str(site.site), "--password-stdin"],
            stdin=password,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


def _text(stream: IO[str] | None) -> str:
    assert stream is not None
    with stream:
        return stream.read()


@pytest.mark.interop
def test_a_deleted_user_cannot_log_in_and_the_mail_is_kept(site: LiveSite) -> None:
    site.add_user("erin")
    site.deliver("erin", MESSAGE)
    assert can_log_in(site, "erin")
    maildrop = Path(site.show_user("erin")["maildrop"])
    said = site.run("mailspool", "user", "del", "erin").stdout.decode()
    assert str(maildrop.parent) in said
    assert not can_log_in(site, "erin")
    (left,) = [path for part in ("new", "cur") for path in (maildrop / part).iterdir()]
    assert left.read_bytes() == MESSAGE


# -- listeners --------------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_pop3_is_served_over_ipv6(made: LiveSite) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        need(present=False, what="IPv6 on the loopback interface")
    settings = made.site / "mailspool.toml"
    before = settings.read_text()
    try:
        settings.write_text(re.sub(r'address = "127\.0\.0\.1:0"', 'address = "[::1]:0"', before))
        made.start()
        assert made.addresses["pop3"][0] == "::1"
        assert can_log_in(made)
    finally:
        settings.write_text(before)
        made.stop()


@pytest.mark.interop
def test_sockets_from_systemd_are_served(made: LiveSite) -> None:
    settings = made.site / "mailspool.toml"
    before = settings.read_text()
    launcher = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); "
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening, (made.directory / "systemd.log").open("w") as log:
        port = listening.getsockname()[1]
        settings.write_text(before.replace("127.0.0.1:0", f"127.0.0.1:{port}", 1))
        command = [program("mailspool"), "serve", "--site", str(made.site)]
        try:
            with subprocess.Popen(
                [sys.executable, "-c", launcher, str(listening.fileno()), *command],
                pass_fds=[listening.fileno()],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process:
                try:
                    assert process.stdout is not None
                    assert f"pop3=127.0.0.1:{port} " in process.stdout.readline()
                    with Wire(("127.0.0.1", port)) as wire:
                        assert wire.login("alice").startswith(b"+OK")
                        wire.ok("QUIT")
                finally:
                    process.terminate()
                    assert process.wait(20) == 0
        finally:
            settings.write_text(before)


# -- the system's user database ---------------------------------------------------------------------------------------


@pytest.mark.interop
def test_logins_do_not_ask_the_systems_user_database(site: LiveSite) -> None:
    need_program("strace")
    assert site.process is not None
    site.deliver("alice", MESSAGE)
    with traced(family(site.process.pid), site.directory / "trace") as trace:
        with session(site) as wire:
            wire.many("RETR 1")
            wire.ok("DELE 1")
            wire.ok("QUIT")
        with Wire(site.addresses["pop3"]) as wire:
            assert wire.login("nobody-such").startswith(b"-ERR")
    assert "Maildir" in trace.read()  # what the login opened: the trace is no empty one
    assert trace.questions() == []


@pytest.mark.interop
def test_a_delivery_does_not_ask_the_systems_user_database(made: LiveSite) -> None:
    need_program("strace")
    trace = Trace(made.directory / "delivery-trace")
    command = [*STRACE, str(trace.file), program("spool-deliver"), "--site", str(made.site), "alice"]
    subprocess.run(command, input=MESSAGE, check=True, timeout=60)
    assert "assign.cdb" in trace.read()
    assert trace.questions() == []


@pytest.mark.interop
def test_a_question_to_the_systems_user_database_would_be_noticed(tmp_path: Path) -> None:
    need_program("strace")
    trace = Trace(tmp_path / "trace")
    command = [*STRACE, str(trace.file), sys.executable, "-c", "import pwd; pwd.getpwuid(12345)"]
    subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert trace.questions()
