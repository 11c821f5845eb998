"""Hostile peers against the running service, by class of vulnerability (docs/reference/security-tests.md).

What each module refuses is in its unit tests; here the whole has to hold: memory, other sessions, the log.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need_program
from tests.interop.running import counters, pids, resident_octets, wait_until
from tests.interop.wire import ConnectionEndedError, Wire, fingerprint, plain

MIB: Final = 1024 * 1024
FORMATS: Final = "%s%n%x{0}{peer!r}$(id)`id`"
HALF_OPEN: Final = 40
SOMEBODY: Final = "email:nobody@example.org:alice\n"  # mapped in any case, or EXTERNAL would not be offered at all
FLOOD_OCTETS: Final = 64 * MIB
MEMORY_OCTETS: Final = 24 * MIB  # what a worker may grow by, whatever one peer sends or does not read


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A site with an authority for client certificates, a Maildir user and an mbox user; one worker, to be measured."""
    need_program("openssl")
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init(
            *("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", "--set", "auth.failure_delay_seconds=0"),
            *("--set", "limits.failures_per_address=0", "--set", f"limits.connections_per_address={HALF_OPEN + 10}"),
            *("--set", "log.level=debug"),
        )
        _make_authority(directory)
        settings = live.site / "mailspool.toml"
        with_authority = f'certificate = "tls/certificate.pem"\nclient_ca = "{directory}/authority.pem"'
        settings.write_text(settings.read_text().replace('certificate = "tls/certificate.pem"', with_authority))
        (live.site / "control" / "certificates").write_text(SOMEBODY)
        for user, kind in (("alice", "maildir"), ("bob", "mbox")):
            live.add_user(user, "--maildrop", kind)
        live.deliver("alice", b"Subject: large\n\n" + b"0123456789abcdef" * 4 * 64 * 1024)
        live.deliver("bob", b"Subject: small\n\ntext\n")
        live.start()
        yield live
        assert live.stop() == 0


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def _make_authority(directory: Path) -> None:
    new_key = ("-newkey", "rsa:2048", "-nodes", "-days", "3")
    _openssl(
        directory, "req", "-x509", *new_key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "authority.pem"
    )


def _issue(directory: Path, name: str, *emails: str) -> bytes:
    """Issue a certificate for these addresses; it and its key are in ``NAME.pem``. Its DER form."""
    extension = directory / f"{name}.ext"
    extension.write_text("subjectAltName=" + ",".join(f"email:{email}" for email in emails))
    new_key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    _openssl(directory, "req", *new_key, "-subj", f"/CN={name}")
    authority = ("-CA", "authority.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3")
    _openssl(
        directory, "x509", "-req", "-in", f"{name}.csr", *authority, "-extfile", extension.name, "-out", f"{name}.crt"
    )
    certificate = (directory / f"{name}.crt").read_text()
    (directory / f"{name}.pem").write_text(certificate + (directory / f"{name}.key").read_text())
    return ssl.PEM_cert_to_DER_cert(certificate)


def _untrusting(certificate: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


@contextlib.contextmanager
def worker_stays_small(site: LiveSite) -> Iterator[None]:
    """The worker neither grows by more than a bound nor dies, and others are served meanwhile."""
    (worker,) = pids(site, "worker")
    before = resident_octets(worker)
    yield
    grown = resident_octets(worker) - before
    assert grown < MEMORY_OCTETS, f"grown by {grown // MIB} MiB"
    assert pids(site, "worker") == [worker]
    check_that_others_are_served(site)


def check_that_others_are_served(site: LiveSite) -> None:
    with Wire(site.addresses["pop3"], seconds=10) as wire:
        assert wire.login("bob").startswith(b"+OK")
        wire.many("RETR 1")
        wire.ok("QUIT")


# -- overlong arguments -----------------------------------------------------------------------------------------------

LONG_BEFORE_LOGIN: Final = ("USER ", "PASS ", "APOP ", "AUTH ", "AUTH PLAIN ", "STLS ", "XYZZY ", "")
LONG_AFTER_LOGIN: Final = ("LIST ", "RETR ", "TOP 1 ", "UIDL ", "DELE ", "XTND XLST ", "NOOP ", "LANG ", "")


@pytest.mark.interop
@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("octets", [256, 1023, 1024, 65_536, MIB])
def test_an_overlong_line_is_refused_and_costs_no_memory(site: LiveSite, logged_in: bool, octets: int) -> None:
    with worker_stays_small(site):
        for command in LONG_AFTER_LOGIN if logged_in else LONG_BEFORE_LOGIN:
            with Wire(site.addresses["pop3"]) as wire:
                if logged_in:
                    assert wire.login("alice").startswith(b"+OK")
                with contextlib.suppress(ConnectionEndedError, ConnectionResetError, BrokenPipeError):
                    answer = wire.ask(command.encode() + b"A" * octets)
                    assert answer.startswith(b"-ERR"), (command, answer)
                    if logged_in:
                        wire.ok("QUIT")


@pytest.mark.interop
def test_a_line_that_never_ends_costs_no_memory(site: LiveSite) -> None:
    cut_off = contextlib.suppress(ConnectionResetError, BrokenPipeError)
    with worker_stays_small(site), Wire(site.addresses["pop3"]) as wire, cut_off:
        for _ in range(FLOOD_OCTETS // MIB):
            wire.send(b"A" * MIB)


@pytest.mark.interop
def test_commands_without_end_whose_answers_nobody_reads_cost_no_memory(site: LiveSite) -> None:
    with worker_stays_small(site), Wire(site.addresses["pop3"], seconds=2) as wire:
        assert wire.login("alice").startswith(b"+OK")
        with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
            for _ in range(FLOOD_OCTETS // MIB):
                wire.send(b"RETR 1\r\n" * (MIB // 8))


# -- slow readers -----------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_a_peer_that_does_not_read_a_large_message_costs_no_memory_and_holds_up_nobody(site: LiveSite) -> None:
    with worker_stays_small(site), Wire(site.addresses["pop3"]) as wire:
        assert wire.login("alice").startswith(b"+OK")
        wire.send(b"RETR 1\r\n" * 20)
        for _ in range(5):
            check_that_others_are_served(site)


# -- STLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("injected", [b"USER bob\r\nPASS secret\r\n", b"CAPA\r\n", b"x"])
def test_what_is_sent_in_the_clear_with_stls_is_not_answered_inside_tls(site: LiveSite, injected: bytes) -> None:
    with Wire(site.addresses["pop3"]) as wire:
        wire.send(b"STLS\r\n" + injected)
        assert wire.line().startswith(b"+OK")
        with pytest.raises(OSError):  # noqa: PT011 - an SSLError, or the connection was reset before it could be one
            wire.start_tls(_untrusting())
    check_that_others_are_served(site)


@pytest.mark.interop
def test_a_name_said_before_stls_is_forgotten(site: LiveSite) -> None:
    with Wire(site.addresses["pop3"]) as wire:
        wire.ok("USER bob")
        wire.ok("STLS")
        wire.start_tls(_untrusting())
        assert wire.ask("PASS correct horse").startswith(b"-ERR")
        assert wire.login("bob").startswith(b"+OK")
        wire.ok("QUIT")


# -- half-open handshakes ---------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_half_open_handshakes_count_against_their_address_only(site: LiveSite) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(HALF_OPEN + 30):
            half = stack.enter_context(socket.create_connection(site.addresses["pop3s"], 10, ("127.0.0.66", 0)))
            if number % 2:
                half.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        wait_until(lambda: counters(site, "worker")["connections_turned_away"] >= 20, "the surplus is turned away")
        check_that_others_are_served(site)  # from another address
    wait_until(lambda: counters(site, "worker")["connections_open"] == 0, "the slots are free again")


@pytest.mark.interop
def test_garbage_instead_of_a_handshake_ends_its_connection_only(site: LiveSite) -> None:
    for garbage in (b"USER bob\r\n", b"\0" * 4096, b"\x16\x03\x01\xff\xff" + b"x" * 4096, os.urandom(4096)):
        with socket.create_connection(site.addresses["pop3s"], 10) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    check_that_others_are_served(site)


# -- SASL -------------------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_bad_base64_harms_no_other_session(site: LiveSite) -> None:
    with Wire(site.addresses["pop3"]) as other:
        assert other.login("bob").startswith(b"+OK")
        for bad in ("****", "=", "AAA", "A" * 200, "Zm9v\0", "Zm9v====", "\u00e9"):
            with Wire(site.addresses["pop3"]) as wire:
                assert wire.ask(f"AUTH PLAIN {bad}").startswith(b"-ERR")
                if wire.ask("AUTH PLAIN").startswith(b"+ "):
                    assert wire.ask(bad).startswith(b"-ERR")
            other.ok("NOOP")
        other.ok("QUIT")


@pytest.mark.interop
def test_two_thousand_broken_off_dialogues_leave_nothing_behind(site: LiveSite) -> None:
    (authenticator,) = pids(site, "authenticator")
    _break_off_dialogues(site, 200)  # whatever is allocated once
    before = resident_octets(authenticator)
    with worker_stays_small(site):
        _break_off_dialogues(site, 2000)
    assert resident_octets(authenticator) - before < 4 * MIB
    with Wire(site.addresses["pop3"]) as wire:
        wire.ok(f"AUTH PLAIN {plain('bob')}")
        wire.ok("QUIT")


def _break_off_dialogues(site: LiveSite, count: int) -> None:
    name = base64.b64encode(b"bob").decode()
    done = 0
    while done < count:
        with Wire(site.addresses["pop3"]) as wire, contextlib.suppress(ConnectionEndedError):
            for _ in range(20):
                assert wire.ask("AUTH PLAIN").startswith(b"+ ")
                assert wire.ask("*").startswith(b"-ERR")
                assert wire.ask("AUTH LOGIN").startswith(b"+ ")
                wire.ask(name)
                wire.ask("*")
                done += 2
        with Wire(site.addresses["pop3"]) as wire:  # and vanishes in the middle of one
            wire.ask("AUTH LOGIN")
            done += 1


# -- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize(
    ("mapping", "accepted"),
    [
        ("email:bob@example.org:bob\n", True),
        ("sha256:{fingerprint}:bob\n", True),
        ("", False),
        ("email:someone@example.org:bob\n", False),
        ("email:bob@example.org:bob\nemail:also@example.org:alice\n", False),
        ("sha256:{fingerprint}:bob\nemail:bob@example.org:alice\n", False),
    ],
)
def test_a_certificate_stands_for_the_one_user_it_is_mapped_to(site: LiveSite, mapping: str, accepted: bool) -> None:
    certificate = _issue(site.directory, "client", "bob@example.org", "also@example.org")
    with mapped(site, mapping.format(fingerprint=fingerprint(certificate))):
        answer = answer_to_external(site, "=", site.directory / "client.pem")
    assert answer.startswith(b"+OK" if accepted else b"-ERR [AUTH]"), answer


@pytest.mark.interop
def test_a_certificate_does_not_stand_for_whomever_it_asks_for(site: LiveSite) -> None:
    _issue(site.directory, "client", "bob@example.org")
    with mapped(site, "email:bob@example.org:bob\n"):
        for identity, outcome in (("bob", b"+OK"), ("alice", b"-ERR [AUTH]"), ("nobody", b"-ERR [AUTH]")):
            initial = base64.b64encode(identity.encode()).decode()
            assert answer_to_external(site, initial, site.directory / "client.pem").startswith(outcome)


@pytest.mark.interop
def test_without_a_certificate_external_is_refused(site: LiveSite) -> None:
    with mapped(site, "email:bob@example.org:bob\n"):
        for initial in ("=", base64.b64encode(b"bob").decode()):
            assert answer_to_external(site, initial, None).startswith(b"-ERR [AUTH]")


@contextlib.contextmanager
def mapped(site: LiveSite, lines: str) -> Iterator[None]:
    """Have these lines, too, in control/certificates."""
    path = site.site / "control" / "certificates"
    path.write_text(SOMEBODY + lines)
    try:
        yield
    finally:
        path.write_text(SOMEBODY)


def answer_to_external(site: LiveSite, initial: str, certificate: Path | None) -> bytes:
    with Wire(site.addresses["pop3"]) as wire:
        wire.ok("STLS")
        wire.start_tls(_untrusting(certificate))
        assert b"EXTERNAL" in wire.many("CAPA")
        return wire.ask(f"AUTH EXTERNAL {initial}")


# -- planted files ----------------------------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_links_planted_in_our_own_directory_are_not_written_through(site: LiveSite, user: str) -> None:
    state = Path(site.show_user(user)["home"]) / ".mailspool"
    target = site.directory / "precious"
    target.write_bytes(b"precious\n")
    target.chmod(0o666)
    kept = {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}
    try:
        for name in kept:
            (state / name).unlink()
            (state / name).symlink_to(target)
        with Wire(site.addresses["pop3"]) as wire:
            if wire.login(user).startswith(b"+OK"):
                wire.ask("UIDL")
                wire.rest()
        assert target.read_bytes() == b"precious\n"
    finally:
        for name, content in kept.items():
            (state / name).unlink(missing_ok=True)
            (state / name).write_bytes(content)
            os.chown(state / name, state.stat().st_uid, state.stat().st_gid)
    assert kept


@pytest.mark.interop
def test_a_lock_file_that_is_a_planted_link_is_not_followed(site: LiveSite) -> None:
    shown = site.show_user("bob")
    lock, target = Path(shown["maildrop"] + ".lock"), site.directory / "locked"
    target.write_bytes(b"precious\n")
    lock.symlink_to(target)
    os.chown(lock, shown["uid"], shown["gid"], follow_symlinks=False)
    os.utime(lock, (0, 0), follow_symlinks=False)
    try:
        with Wire(site.addresses["pop3"], seconds=60) as wire:
            wire.login("bob")
        assert target.read_bytes() == b"precious\n"
    finally:
        lock.unlink(missing_ok=True)
    wait_until(lambda: _logs_in(site, "bob"), "the mailbox is free")


def _logs_in(site: LiveSite, user: str) -> bool:
    with Wire(site.addresses["pop3"]) as wire:
        return wire.login(user).startswith(b"+OK")


# -- text of others ---------------------------------------------------------------------------------------------------


@pytest.mark.interop
def test_names_and_subjects_are_not_used_as_formats_and_cannot_fake_a_log_line(site: LiveSite) -> None:
    site.deliver("bob", f"Subject: {FORMATS}\nMessage-ID: <{FORMATS}@x>\n\n{FORMATS}\n".encode())
    for name in (FORMATS, "bob\nerror faked: user=bob", "bob user=alice reason=none", "../../etc/passwd", "%2e%2e"):
        with Wire(site.addresses["pop3"]) as wire:
            answers = wire.ask(f"USER {name}"), wire.ask("PASS x")
            assert not any(b"uid=" in answer or b"0x" in answer for answer in answers)
    with Wire(site.addresses["pop3"]) as wire:
        assert wire.login("bob").startswith(b"+OK")
        number = int(wire.ok("STAT").split()[1])
        assert FORMATS.encode() in wire.many(f"RETR {number}")
        assert FORMATS.encode() in wire.many("XTND XLST Subject")
        wire.ok(f"DELE {number}")
        wire.ok("QUIT")
    log = site.read_log()
    assert FORMATS in log
    assert not re.search(r"^error faked", log, re.MULTILINE)
    assert "Traceback" not in log
    assert not re.search(r"user=bob user=alice", log)
