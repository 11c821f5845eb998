"""Users move here from another server, and their clients do not notice: fetchmail fetches nothing twice.

For each old server, fetchmail reads a mailbox from it, leaves the mail there, and notes the unique-ids. The ids are
taken over, fetchmail is pointed at us, and fetches nothing; when one message has arrived, it fetches that one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from demo.messages import sample_messages
from tests.interop.clients import Errand, fetchmail
from tests.interop.live_site import PASSWORD, LiveSite, open_directory, service_account
from tests.interop.needs import need, need_program, need_root
from tests.interop.old_servers import COURIER, POPA3D, courier, popa3d
from tests.interop.peers import Account, dovecot_pop3
from tests.interop.wire import look_at

OLD_PASSWORD: Final = "secret"
COUNT: Final = 30
MESSAGES: Final = tuple(sample_messages(COUNT - 2, seed=23))
NEW: Final = b"From: a@example.org\nSubject: after the move\nMessage-ID: <new@example.org>\n\nnew\n"
# fetchmail holds what a server says to be one message by its header.
TWINS: Final = (
    b"From: a@example.org\nDate: Wed, 20 May 1998 09:00:00 +0900\nMessage-ID: <1@twins>\nSubject: the same\n\none\n",
    b"From: a@example.org\nDate: Wed, 20 May 1998 09:00:00 +0900\nMessage-ID: <2@twins>\nSubject: the same\n\ntwo\n",
)


@dataclass(frozen=True)
class Home:
    """A user's maildrop, with mail in it that another program delivered."""

    user: str
    kind: str
    maildrop: Path
    account: Account


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    need_root()
    need_program("fetchmail")
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN")
        live.start()
        yield live
        assert live.stop() == 0


def add_home(site: LiveSite, user: str, kind: str) -> Home:
    site.add_user(user, "--maildrop", kind)
    shown = site.show_user(user)
    home = Home(user, kind, Path(shown["maildrop"]), Account(shown["uid"], shown["gid"]))
    messages = (*MESSAGES, *TWINS)
    if kind == "mbox":
        for number, message in enumerate(messages):
            with home.maildrop.open("ab") as mbox:
                mbox.write(b"From a@example.org Wed May 20 09:%02d:00 1998\n" % number)
                mbox.write(message.replace(b"\nFrom ", b"\n>From ").rstrip(b"\n") + b"\n\n")
        return home
    for number, message in enumerate(messages):
        path = home.maildrop / ("cur" if number % 3 else "new")
        path /= f"{895651200 + number}.{number}.mx.example.org" + (":2,S" if number % 3 else "")
        path.write_bytes(message)
        os.chown(path, home.account.uid, home.account.gid)
    return home


def fetch(home: Home, directory: Path, port: int, password: str) -> int:
    """Have fetchmail fetch what it has not fetched yet; how many messages it was."""
    server = LiveSite(directory, addresses={"pop3": ("127.0.0.1", port)})
    return len(fetchmail(Errand(server, home.user, password, "none", keep=True, home=directory / "client")))


def import_ids(site: LiveSite, home: Home, *options: str, ok: int = 0) -> dict[str, Any]:
    result = site.run("spool-uidl", "import", "--user", home.user, "--json", *options, ok=(ok,))
    report: dict[str, Any] = json.loads(result.stdout)
    (user,) = report["users"]
    return dict(user)


def move(
    site: LiveSite, home: Home, old_server: AbstractContextManager[int], *options: str, conflicts: int = 0
) -> None:
    """Move a user from an old server to us, and look at what fetchmail makes of it."""
    with open_directory() as directory:
        with old_server as port:
            assert fetch(home, directory, port, OLD_PASSWORD) == COUNT
            assert fetch(home, directory, port, OLD_PASSWORD) == 0
        imported = import_ids(site, home, *options)
        assert (imported["messages"], imported["new"] + imported["kept"]) == (COUNT, COUNT)
        assert fetch(home, directory, site.port("pop3"), PASSWORD) == 0
        site.deliver(home.user, NEW)
        assert fetch(home, directory, site.port("pop3"), PASSWORD) == 1
        assert import_ids(site, home, *options)["outcome"] == "done before"


@contextlib.contextmanager
def dovecot(home: Home, *, uidl_format: str | None = None, more: str = "") -> Iterator[int]:
    location = f"maildir:{home.maildrop}" if home.kind == "maildir" else f"mbox:~/folders:INBOX={home.maildrop}"
    if uidl_format is not None:
        more += f"protocol pop3 {{\n  pop3_uidl_format = {uidl_format}\n}}\n"
    with (
        open_directory() as directory,
        dovecot_pop3(directory / "dovecot", home.account, location, OLD_PASSWORD, settings_more=more) as peer,
    ):
        peer.add_user(home.user)
        yield peer.port


@pytest.mark.interop
@pytest.mark.parametrize("uidl_format", [None, "%08Xv%08Xu", "%v.%u", "%u", "%Xv%Xu", "%f", "%g", "%Mf"])
def test_from_dovecot_with_a_maildir(site: LiveSite, uidl_format: str | None) -> None:
    need_program("dovecot")
    home = add_home(site, f"dovecot-maildir-{_name(uidl_format)}", "maildir")
    options = () if uidl_format is None else ("--format", uidl_format)
    move(site, home, dovecot(home, uidl_format=uidl_format), "--from", "dovecot", *options)


@pytest.mark.interop
@pytest.mark.parametrize("uidl_format", [None, "%08Xv%08Xu", "%m"])
def test_from_dovecot_with_an_mbox(site: LiveSite, uidl_format: str | None) -> None:
    need_program("dovecot")
    home = add_home(site, f"dovecot-mbox-{_name(uidl_format)}", "mbox")
    options = () if uidl_format is None else ("--format", uidl_format)
    move(site, home, dovecot(home, uidl_format=uidl_format), "--from", "dovecot", *options)


@pytest.mark.interop
def test_from_dovecot_that_saved_the_ids_it_showed_before_its_format_changed(site: LiveSite) -> None:
    need_program("dovecot")
    home = add_home(site, "dovecot-saved", "maildir")
    saving = dovecot(home, uidl_format="%v-%u", more="pop3_save_uidl = yes\n")
    move(site, home, saving, "--from", "dovecot")


@pytest.mark.interop
def test_from_an_mbox_with_the_fields_of_uw_imap(site: LiveSite) -> None:
    need_program("dovecot")  # which keeps them, too, and can be told to show the ids that UW showed
    home = add_home(site, "uw", "mbox")
    move(site, home, dovecot(home, uidl_format="%08Xv%08Xu"), "--from", "uw")


@pytest.mark.interop
def test_from_courier(site: LiveSite) -> None:
    need(COURIER.exists(), f"{COURIER} (.ci/unpack-peers)")
    home = add_home(site, "courier", "maildir")
    with open_directory() as homes:
        (homes / home.user).symlink_to(home.maildrop.parent)
        move(site, home, courier(home.account, homes, OLD_PASSWORD), "--from", "courier")


@pytest.mark.interop
def test_from_popa3d(site: LiveSite) -> None:
    need(POPA3D.exists(), f"{POPA3D} (.ci/unpack-peers)")
    home = add_home(site, "of-popa3d", "mbox")
    with open_directory() as directory:
        old_server = popa3d(directory / "popa3d", home.account, {home.user: home.maildrop}, OLD_PASSWORD)
        move(site, home, old_server, "--from", "popa3d")


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_from_an_old_server_that_is_asked_while_it_runs(site: LiveSite, kind: str) -> None:
    need_program("dovecot")
    home = add_home(site, f"live-{kind}", kind)
    with open_directory() as directory:
        credentials = directory / "credentials"
        credentials.write_text(f"{home.user}:{OLD_PASSWORD}\n")
        credentials.chmod(0o600)
        with dovecot(home, uidl_format="old.%u") as port:
            assert fetch(home, directory, port, OLD_PASSWORD) == COUNT
            live = ("--match-live", f"127.0.0.1:{port}", "--tls", "none", "--credentials", str(credentials))
            assert import_ids(site, home, *live, "--dry-run", ok=3)["new"] == COUNT
            assert import_ids(site, home, *live)["new"] == COUNT
        assert fetch(home, directory, site.port("pop3"), PASSWORD) == 0
        site.deliver(home.user, NEW)
        assert fetch(home, directory, site.port("pop3"), PASSWORD) == 1


@pytest.mark.interop
@pytest.mark.parametrize(("protocol", "security"), [("pop3", "stls"), ("pop3s", "tls")])
def test_the_old_server_is_believed_by_its_certificate_only(site: LiveSite, protocol: str, security: str) -> None:
    old, new = (add_home(site, f"{age}-{security}", "maildir") for age in ("old", "new"))
    for path in new.maildrop.glob("*/*"):
        path.rename(path.with_name(f"1{path.name}"))  # as if it had been delivered here
    with open_directory() as directory:
        credentials = directory / "credentials"
        credentials.write_text(f"*:{PASSWORD}\n")
        credentials.chmod(0o600)
        live = [f"--match-live=localhost:{site.port(protocol)}", "--tls", security]
        live += ["--login", old.user, "--credentials", str(credentials)]
        refused = import_ids(site, new, *live, ok=4)
        assert (refused["outcome"], "certificate" in refused["trouble"]) == ("failed", True)
        assert import_ids(site, new, *live, "--ca-file", str(site.certificate))["new"] == COUNT
    address = site.addresses["pop3"]
    assert look_at(address, old.user).unique_ids == look_at(address, new.user).unique_ids


def _name(uidl_format: str | None) -> str:
    return "default" if uidl_format is None else "".join(filter(str.isalnum, uidl_format)).lower()
