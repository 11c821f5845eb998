"""Real clients read all mail of a site: octets are those that were delivered, and only what was deleted is gone."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.messages import sample_messages
from tests.interop.clients import CLIENTS, Errand, Security, fetchmail, fetchmail_apop, to_lf
from tests.interop.live_site import PASSWORD, LiveSite, open_directory, service_account

MESSAGES = tuple(sample_messages(18, seed=7))
MANY_UIDS = (20_001, 20_002)


def as_stored_by_a_client(message: bytes) -> bytes:
    """What a client has to end up with: LF line ends, the last one included."""
    text = to_lf(message)
    return text if text.endswith(b"\n") else text + b"\n"


EXPECTED = sorted(map(as_stored_by_a_client, MESSAGES))


@pytest.fixture(scope="module", params=["one-uid", "many-uid"])
def site(request: pytest.FixtureRequest) -> Iterator[LiveSite]:
    """A served site with a Maildir user and an mbox user; on a many-uid site each has a uid of their own."""
    many = request.param == "many-uid"
    if many and os.geteuid():
        if os.environ.get("CI"):
            pytest.fail("a site of many uids needs root")
        pytest.skip("a site of many uids needs root")
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=2", "--set", "auth.cleartext=loopback")
        for number, kind in enumerate(("maildir", "mbox")):
            owner = ("--uid", str(MANY_UIDS[number]), "--gid", str(MANY_UIDS[number])) if many else ()
            live.add_user(f"{kind}-user", "--maildrop", kind, *owner)
            live.add_user(f"{kind}-apop", "--maildrop", kind, "--apop", *owner)
        live.start()
        yield live
        assert live.stop() == 0


@pytest.fixture(params=["maildir", "mbox"])
def full(request: pytest.FixtureRequest, site: LiveSite) -> str:
    """A user whose maildrop holds MESSAGES and nothing else."""
    user = f"{request.param}-user"
    refill(site, user)
    return user


def refill(site: LiveSite, user: str) -> None:
    shown = site.show_user(user)
    maildrop = Path(shown["maildrop"])
    if shown["kind"] == "mbox":
        os.truncate(maildrop, 0)
    else:
        for path in itertools.chain((maildrop / "new").iterdir(), (maildrop / "cur").iterdir()):
            path.unlink()
    for message in MESSAGES:
        site.deliver(user, message)


WAYS = [(name, security) for name, (_, securities) in CLIENTS.items() for security in securities]


@pytest.mark.interop
@pytest.mark.parametrize(("name", "security"), WAYS)
def test_a_client_reads_what_was_delivered_and_leaves_it_until_told_to_delete(
    site: LiveSite, full: str, name: str, security: Security, tmp_path: Path
) -> None:
    if shutil.which("getmail" if name == "getmail" else name) is None and name != "poplib":
        pytest.fail(f"{name} is not installed; .ci/debian-packages lists what the tests need")
    fetch, _ = CLIENTS[name]

    def errand(*, keep: bool, home: str) -> Errand:
        directory = tmp_path / home
        directory.mkdir(exist_ok=True)
        return Errand(site, full, PASSWORD, security, keep, directory)

    assert sorted(fetch(errand(keep=True, home="first"))) == EXPECTED
    assert sorted(fetch(errand(keep=False, home="second"))) == EXPECTED
    if name != "mutt":  # it copies nothing from an empty folder, and makes no Maildir to look into
        assert fetch(errand(keep=True, home="third")) == []


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_apop_reads_the_same(site: LiveSite, kind: str, tmp_path: Path) -> None:
    refill(site, f"{kind}-apop")
    errand = Errand(site, f"{kind}-apop", PASSWORD, "none", True, tmp_path)
    assert sorted(fetchmail_apop(errand)) == EXPECTED


@pytest.mark.interop
def test_a_client_that_remembers_unique_ids_fetches_only_what_is_new(site: LiveSite, full: str, tmp_path: Path) -> None:
    errand = Errand(site, full, PASSWORD, "none", True, tmp_path)
    assert len(fetchmail(errand)) == len(MESSAGES)
    assert fetchmail(errand) == []
    site.deliver(full, b"Subject: new\n\nnew\n")
    assert fetchmail(errand) == [b"Subject: new\n\nnew\n"]
