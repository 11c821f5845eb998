"""Real clients read all mail of a site: octets are those that were delivered, and only what was deleted is gone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from demo.messages import sample_messages
from tests.interop.clients import CLIENTS, Errand, Security, fetchmail, fetchmail_apop, run_as_root, to_lf
from tests.interop.live_site import PASSWORD, LiveSite, open_directory, service_account

MESSAGES = tuple(sample_messages(18, seed=7))
MANY_UIDS = (20_001, 20_002)


def as_stored_by_a_client(message: bytes) -> bytes:
    """What a client has to end up with: LF line ends, the last one included."""
    text = to_lf(message)
    return text if text.endswith(b"\n") else text + b"\n"


EXPECTED = sorted(map(as_stored_by_a_client, MESSAGES))
FETCHMAIL_LINE_OCTETS = 8_000
"""fetchmail 6.4 reads lines into a buffer of 8 KiB and damages longer ones; curl reads the same message whole."""


def comparable(client: str, messages: Iterable[bytes]) -> list[bytes]:
    """The messages a client can be expected to store undamaged, in the form it leaves them."""
    match client:
        case "fetchmail":
            return sorted(each for each in messages if max(map(len, each.split(b"\n"))) <= FETCHMAIL_LINE_OCTETS)
        case "getmail":  # it writes the header anew, by Python's email package: other folds, a Return-Path
            return sorted(map(_identity_and_body, messages))
        case _:
            return sorted(messages)


def _identity_and_body(message: bytes) -> bytes:
    header, _, body = message.partition(b"\n\n")
    identity = next(line for line in header.split(b"\n") if line.startswith(b"Message-ID:"))
    return identity + b"\n\n" + body


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


_KEPT: dict[tuple[Path, str], tuple[Path, Path]] = {}


def refill(site: LiveSite, user: str) -> None:
    """Fill a user's maildrop: by deliveries the first time, later by a copy of what they left."""
    places = _KEPT.get((site.directory, user))
    if places is not None:
        maildrop, kept = map(str, places)
        run_as_root("rm", "-rf", maildrop)
        run_as_root("cp", "-a", kept, maildrop)
        return
    for message in MESSAGES:
        site.deliver(user, message)
    maildrop, kept = str(site.show_user(user)["maildrop"]), str(site.directory / f"kept-{user}")
    run_as_root("cp", "-a", maildrop, kept)
    _KEPT[site.directory, user] = Path(maildrop), Path(kept)


WAYS = [(name, security) for name, (_, securities) in CLIENTS.items() for security in securities]


@pytest.fixture
def homes() -> Iterator[Path]:
    """Where clients keep their things; open to the account that they run as."""
    with open_directory() as directory:
        yield directory


@pytest.mark.interop
@pytest.mark.parametrize(("name", "security"), WAYS)
def test_a_client_reads_what_was_delivered_and_leaves_it_until_told_to_delete(
    site: LiveSite, full: str, name: str, security: Security, homes: Path
) -> None:
    if shutil.which(name) is None and name != "poplib":
        pytest.fail(f"{name} is not installed; .ci/debian-packages lists what the tests need")
    fetch, _ = CLIENTS[name]
    expected = comparable(name, EXPECTED)

    def errand(*, keep: bool, home: str) -> Errand:
        directory = homes / home
        directory.mkdir()
        return Errand(site, full, PASSWORD, security, keep, directory)

    first = fetch(errand(keep=True, home="first"))
    assert (len(first), comparable(name, first)) == (len(EXPECTED), expected)
    second = fetch(errand(keep=False, home="second"))
    assert (len(second), comparable(name, second)) == (len(EXPECTED), expected)
    assert fetch(errand(keep=True, home="third")) == []


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_apop_reads_the_same(site: LiveSite, kind: str, homes: Path) -> None:
    refill(site, f"{kind}-apop")
    fetched = fetchmail_apop(Errand(site, f"{kind}-apop", PASSWORD, "none", True, homes))
    assert comparable("fetchmail", fetched) == comparable("fetchmail", EXPECTED)


@pytest.mark.interop
def test_a_client_that_remembers_unique_ids_fetches_only_what_is_new(site: LiveSite, full: str, homes: Path) -> None:
    errand = Errand(site, full, PASSWORD, "none", True, homes)
    assert len(fetchmail(errand)) == len(MESSAGES)
    assert fetchmail(errand) == []
    site.deliver(full, b"Subject: new\n\nnew\n")
    assert fetchmail(errand) == [b"Subject: new\n\nnew\n"]
