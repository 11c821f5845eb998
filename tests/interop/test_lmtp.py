"""LMTP with real clients and a real mail transport: what they send comes out of our POP3, octet for octet."""

from __future__ import annotations

import pwd
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need_program, need_root
from tests.interop.peers import Account, postfix
from tests.interop.test_foreign_maildrops import MESSAGES, split_added, wire_form
from tests.interop.wire import Wire

CLIENT_SECONDS: Final = 60
DOMAIN: Final = "virtual.example"
KINDS: Final = ("maildir", "mbox")
USERS: Final = tuple(f"{number}{kind}" for kind in KINDS for number in ("", "2", "3"))
WAYS: Final = ("tcp", "unix", "starttls")


def trusted() -> str:
    """Postfix's lmtp(8) runs as this account, where Postfix is installed."""
    try:
        pwd.getpwnam("postfix")
    except KeyError:
        return "lmtp.trusted_users="
    return "lmtp.trusted_users=postfix"


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A served site with LMTP; for each kind a user, and two with a number before their name, as smtp-source has."""
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=2", "--set", "auth.schemes=PLAIN", "--set", trusted(), lmtp=True)
        with (live.site / "control" / "locals").open("a") as domains:
            domains.write(f"{DOMAIN}\n")
        for user in USERS:
            live.add_user(user, "--maildrop", user.lstrip("23"))
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture(autouse=True)
def empty(site: LiveSite) -> None:
    """Remove what was delivered before."""
    for user in USERS:
        taken(site, user)


def taken(site: LiveSite, user: str) -> list[bytes]:
    """Read a maildrop and empty it; its messages in wire form, sorted: a Maildir has no order within a second."""
    with Wire(site.addresses["pop3"]) as wire:
        assert wire.login(user).startswith(b"+OK")
        seen = wire.look()
        for number in range(len(seen.messages)):
            wire.ok(f"DELE {number + 1}")
        wire.ok("QUIT")
    return sorted(seen.messages)


def connected(site: LiveSite, way: str) -> smtplib.LMTP:
    """A connection of Python's client that has said LHLO."""
    if way == "unix":
        client = smtplib.LMTP(str(site.unix_sockets["lmtp"]))
    else:
        client = smtplib.LMTP("localhost", site.port("lmtp"))
    if way == "starttls":
        client.starttls(context=ssl.create_default_context(cafile=str(site.certificate)))
    client.ehlo_or_helo_if_needed()
    return client


@pytest.mark.interop
@pytest.mark.parametrize("way", WAYS)
def test_what_pythons_client_sends_is_read_as_it_was_sent(site: LiveSite, way: str) -> None:
    with connected(site, way) as client:
        assert client.has_extn("starttls") is (way != "starttls")
        for message in MESSAGES:
            for kind in KINDS:
                client.sendmail("s@example.org", f"{kind}@{DOMAIN}", wire_form(message))
    for kind in KINDS:
        assert taken(site, kind) == sorted(map(wire_form, MESSAGES))


@pytest.mark.interop
def test_each_good_recipient_has_a_reply_of_its_own(site: LiveSite) -> None:
    with connected(site, "tcp") as client:
        client.mail("s@example.org")
        codes = [client.rcpt(f"{name}@{DOMAIN}")[0] for name in ("maildir", "nobody", "mbox", "2mbox")]
        assert codes == [250, 550, 250, 250]
        assert client.data(b"Subject: once\r\n\r\nbody\r\n")[0] == 250
        assert [client.getreply()[0] for _ in range(2)] == [250, 250]
    for user in ("maildir", "mbox", "2mbox"):
        assert taken(site, user) == [b"Subject: once\r\n\r\nbody\r\n"]


def run_client(*command: str) -> str:
    """Run a client to its end; what it printed. Its exit status says that everything was taken."""
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=CLIENT_SECONDS, text=True
    )
    assert result.returncode == 0, f"{command}: {result.returncode}: {result.stdout} {result.stderr}"
    return result.stdout


@pytest.mark.interop
@pytest.mark.parametrize("way", WAYS)
def test_swaks_delivers(site: LiveSite, way: str, tmp_path: Path) -> None:
    need_program("swaks")
    message = tmp_path / "message"
    message.write_bytes(MESSAGES[0])
    to = {
        "tcp": ("--server", "127.0.0.1", "--port", str(site.port("lmtp"))),
        "unix": ("--socket", str(site.unix_sockets["lmtp"])),
        "starttls": ("--server", "127.0.0.1", "--port", str(site.port("lmtp")), "--tls"),
    }[way]
    recipients = ",".join(f"{kind}@{DOMAIN}" for kind in KINDS)
    run_client(
        *("swaks", "--protocol", "LMTP", *to, "--from", "s@example.org", "--to", recipients),
        *("--data", f"@{message}", "--suppress-data"),
    )
    for kind in KINDS:
        (found,) = taken(site, kind)
        assert found.rstrip(b"\r\n") == wire_form(MESSAGES[0]).rstrip(b"\r\n")


@pytest.mark.interop
@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("kind", KINDS)
def test_smtp_source_delivers_over_many_connections_at_once(site: LiveSite, way: str, kind: str) -> None:
    need_program("smtp-source")
    to = f"unix:{site.unix_sockets['lmtp']}" if way == "unix" else f"inet:127.0.0.1:{site.port('lmtp')}"
    amount = ("-m", "40", "-s", "8", "-r", "3", "-l", "5000")
    run_client("smtp-source", "-L", *amount, "-f", "s@example.org", "-t", f"{kind}@{DOMAIN}", to)
    first, *others = [taken(site, f"{number}{kind}") for number in ("", "2", "3")]
    assert len(first) == 40
    assert all(found == first for found in others)


# -- Postfix ----------------------------------------------------------------------------------------------------------


def transport(site: LiveSite, way: str) -> str:
    """The lines of Postfix's ``main.cf``; long lines are sent as they are."""
    place = f"unix:{site.unix_sockets['lmtp']}" if way == "unix" else f"inet:127.0.0.1:{site.port('lmtp')}"
    lines = [
        f"virtual_transport = lmtp:{place}",
        "virtual_mailbox_maps =",
        "lmtp_line_length_limit = 0",
    ]
    if way == "starttls":
        lines += ["lmtp_tls_security_level = verify", "lmtp_tls_verify_cert_match = localhost"]
        lines += [f"lmtp_tls_CAfile = {site.certificate}"]
    return "".join(f"{line}\n" for line in lines)


def mailbox_account(site: LiveSite) -> Account:
    shown = site.show_user("maildir")
    return Account(shown["uid"], shown["gid"])


@pytest.mark.interop
@pytest.mark.parametrize("way", WAYS)
def test_what_postfix_delivers_is_read_as_it_was_handed_over(site: LiveSite, way: str) -> None:
    need_program("postfix")
    need_root()
    everybody = [f"{kind}@{DOMAIN}" for kind in KINDS]
    with (
        open_directory() as directory,
        postfix(directory / "postfix", mailbox_account(site), {}, {}, settings_more=transport(site, way)) as peer,
    ):
        for message in MESSAGES:
            peer.deliver(*everybody, message=message)
        peer.wait_until_delivered()
    for kind in KINDS:
        found = sorted(split_added(message, ("Received",)) for message in taken(site, kind))
        assert found == sorted(map(wire_form, MESSAGES))


@pytest.mark.interop
def test_postfix_returns_mail_for_the_unknown_recipient_only(site: LiveSite) -> None:
    need_program("postfix")
    need_root()
    with (
        open_directory() as directory,
        postfix(directory / "postfix", mailbox_account(site), {}, {}, settings_more=transport(site, "tcp")) as peer,
    ):
        names = ("maildir", "nobody", "mbox", "2mbox")
        peer.deliver(*(f"{name}@{DOMAIN}" for name in names), message=MESSAGES[0], sender=f"3maildir@{DOMAIN}")
        peer.wait_until_delivered()
        log = peer.read_log()
    for user in ("maildir", "mbox", "2mbox"):
        (found,) = taken(site, user)
        assert split_added(found, ("Received",)) == wire_form(MESSAGES[0])
    (bounce,) = taken(site, "3maildir")
    assert f"Final-Recipient: rfc822; nobody@{DOMAIN}".encode() in bounce
    assert bounce.count(b"Final-Recipient:") == 1
    assert b"Status: 5.1.1" in bounce
    assert log.count("status=bounced") == 1


@pytest.mark.interop
@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("kind", KINDS)
def test_mail_for_a_broken_home_is_deferred_by_postfix_and_delivered_once_it_is_mended(
    site: LiveSite, way: str, kind: str
) -> None:
    need_program("postfix")
    need_root()
    home = Path(site.show_user(kind)["home"])
    away = home.with_name(f"{home.name}.away")
    with (
        open_directory() as directory,
        postfix(directory / "postfix", mailbox_account(site), {}, {}, settings_more=transport(site, way)) as peer,
    ):
        home.rename(away)
        try:
            peer.deliver(f"{kind}@{DOMAIN}", f"3{kind}@{DOMAIN}", message=MESSAGES[0])
            peer.wait_until_logged(rf"to=<{kind}@{DOMAIN}>.* status=deferred .*said: 451 4\.")
            peer.wait_until_logged(rf"to=<3{kind}@{DOMAIN}>.* status=sent")
            assert peer.deferred() == 1
        finally:
            away.rename(home)
        peer.try_again()
        peer.wait_until_delivered()
        assert "status=bounced" not in peer.read_log()
    for user in (kind, f"3{kind}"):
        (found,) = taken(site, user)
        assert split_added(found, ("Received",)) == wire_form(MESSAGES[0])
