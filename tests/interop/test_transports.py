"""Exim and OpenSMTPD, as their how-tos say: by LMTP, and with spool-deliver as a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.interop.installation import install_for_everybody
from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.needs import need, need_root
from tests.interop.test_foreign_maildrops import MESSAGES, split_added, wire_form
from tests.interop.test_lmtp import taken
from tests.interop.transports import EXIM, OPENSMTPD, Transport, exim, opensmtpd

DOMAIN: Final = "virtual.example"
KINDS: Final = ("maildir", "mbox")
ADDED: Final[Mapping[str, Sequence[str]]] = {
    "exim-lmtp": ("Received",),
    "exim-pipe": ("Received",),
    "opensmtpd-lmtp": ("Return-Path", "Delivered-To", "Received"),
    "opensmtpd-mda": ("Return-Path", "Delivered-To", "Received"),
}
"""The header fields each way puts in front, in their order."""
LINE_OCTETS_MAX: Final = 4000
"""OpenSMTPD takes no longer line, and both transports complete a header without From, Date or Message-ID."""
SENT: Final = tuple(
    message
    for message in MESSAGES
    if b"\nMessage-ID: <" in message and max(map(len, message.splitlines())) < LINE_OCTETS_MAX
)


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A served site with a user for each kind of mailbox."""
    need_root()
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN", lmtp=True)
        with (live.site / "control" / "locals").open("a") as domains:
            domains.write(f"{DOMAIN}\n")
        for kind in KINDS:
            live.add_user(kind, "--maildrop", kind)
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture(scope="module")
def home(site: LiveSite) -> Path:
    """The home of the user who has an mbox."""
    return Path(site.show_user("mbox")["home"])


@pytest.fixture(scope="module")
def installed(site: LiveSite) -> Path:
    """A spool-deliver that every account may run."""
    return install_for_everybody(site.directory / "installed")


@pytest.fixture(params=ADDED)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    program = EXIM if name.startswith("exim") else OPENSMTPD
    need(program.exists(), f"{program}, from .ci/unpack-peers")
    return name


@pytest.fixture(autouse=True)
def empty(site: LiveSite) -> None:
    """Remove what was delivered before."""
    for kind in KINDS:
        taken(site, kind)


@pytest.fixture
def transport(site: LiveSite, installed: Path, way: str) -> Iterator[Transport]:
    assert site.account is not None
    command = f"{installed} --site {site.site}"
    changes = {
        "/opt/mailspool/bin/spool-deliver": command,
        "= mailspool\n": f"= {site.account}\n",
        "= mailspool }": f"= {site.account} }}",
        "port = 24": f"port = {site.port('lmtp')}",
        ":24": f":{site.port('lmtp')}",
        "example.org": DOMAIN,
    }
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(open_directory()) / "transport"
        if way.startswith("exim"):
            yield stack.enter_context(exim(directory, changes, way.replace("exim-", "mailspool_")))
        else:
            yield stack.enter_context(opensmtpd(directory, changes, way.removeprefix("open").replace("-", "_")))


def received(site: LiveSite, user: str, way: str) -> list[bytes]:
    """What a maildrop had, which is empty from now on, as it was handed over."""
    return sorted(split_added(message, ADDED[way]) for message in taken(site, user))


@pytest.mark.interop
def test_what_is_handed_over_is_read_as_it_was(site: LiveSite, way: str, transport: Transport) -> None:
    everybody = [f"{kind}@{DOMAIN}" for kind in KINDS]
    for message in SENT:
        transport.deliver(*everybody, message=message)
    for user in everybody:
        transport.wait_for("delivered", user, len(SENT))
    for kind in KINDS:
        assert received(site, kind, way) == sorted(map(wire_form, SENT))


@pytest.mark.interop
def test_mail_for_nobody_is_delivered_to_nobody(site: LiveSite, way: str, transport: Transport) -> None:
    transport.deliver(f"nobody@{DOMAIN}", message=SENT[0])
    # OpenSMTPD's LMTP client takes a 550 for a temporary refusal.
    transport.wait_for("deferred" if way == "opensmtpd-lmtp" else "refused", f"nobody@{DOMAIN}")
    assert [received(site, kind, way) for kind in KINDS] == [[], []]


@pytest.mark.interop
@pytest.mark.parametrize("broken", ["directory", "home"])
def test_mail_for_a_broken_site_is_deferred_and_delivered_once_it_is_mended(
    site: LiveSite, home: Path, way: str, transport: Transport, broken: str
) -> None:
    place = {"directory": site.site / "control" / "assign.cdb", "home": home}[broken]
    away = place.with_name(f"{place.name}.away")
    place.rename(away)
    try:
        transport.deliver(f"mbox@{DOMAIN}", message=SENT[0])
        transport.wait_for("deferred", f"mbox@{DOMAIN}")
    finally:
        away.rename(place)
    transport.try_again()
    transport.wait_for("delivered", f"mbox@{DOMAIN}")
    assert received(site, "mbox", way) == [wire_form(SENT[0])]
