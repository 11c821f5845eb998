"""LMTP deliveries that are stopped: who was told that a message is delivered has it once, others at most once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.crash.lmtp_site import USERS, LmtpSite, stored
from tests.crash.losing import each_power_cut
from tests.crash.stopping import each_stop

FIRST = b"Subject: first\n\n" + b"a line of the body\n" * 50
SECOND = b"Subject: second\n\nbody\n"
AFTER = b"Subject: after\n\nbody\n"
DELIVERED = b"250 2.1.5 delivered"


def site_in(directory: Path) -> Callable[[int], LmtpSite]:
    def made(number: int) -> LmtpSite:
        shutil.rmtree(directory / str(number - 1), ignore_errors=True)
        return LmtpSite(directory / str(number))

    return made


def two_messages(site: LmtpSite) -> Callable[[], object]:
    """One to all, and one to half of them in another order."""
    client = site.connect()

    def send() -> None:
        client.send(FIRST, *USERS)
        client.send(SECOND, "cat", "ann")

    return send


def acknowledged(site: LmtpSite) -> Counter[tuple[bytes, str]]:
    """What the client was told to be delivered."""
    told = site.replies.read_bytes().splitlines().count(DELIVERED)
    in_order = [*((FIRST, user) for user in USERS), (SECOND, "cat"), (SECOND, "ann")]
    return Counter(in_order[:told])


def check(site: LmtpSite, *, whole: bool) -> None:
    """See that what was promised is there once, and the rest at most once, and no message is a half."""
    promised = acknowledged(site)
    assert not whole or sum(promised.values()) == len(USERS) + 2
    for user in USERS:
        found = Counter(site.messages(user))
        for body in (FIRST, SECOND):
            number = found.pop(stored(body, user), 0)
            assert promised[body, user] <= number <= 1, (user, body)
        if user == "cat":  # an mbox may show the torn beginning of what was promised to nobody
            assert len(found) <= 1
            assert all(stored(FIRST, user).startswith(octets.rstrip(b"\r\n")) for octets in found)
        else:
            assert not found, user
    others = [file.read_bytes() for file in (site.root / "dan" / "Other" / "new").iterdir()]
    assert len(others) <= 1
    assert len(others) == 1 or not promised[FIRST, "dan"]


def test_who_was_told_of_a_delivery_has_it_once_wherever_the_service_is_stopped(tmp_path: Path) -> None:
    for stopped in each_stop(site_in(tmp_path), two_messages):
        check(stopped.state, whole=stopped.completed)


def test_the_next_delivery_after_a_stop_is_whole_and_loses_nothing(tmp_path: Path) -> None:
    for stopped in each_stop(site_in(tmp_path), two_messages, step=5):
        site = stopped.state
        assert site.connect().send(AFTER, *USERS) == [DELIVERED] * len(USERS)
        for user in USERS:
            messages = site.messages(user)
            assert messages[-1] == stored(AFTER, user) or user != "cat"
            assert messages.count(stored(AFTER, user)) == 1


def test_who_was_told_of_a_delivery_has_it_once_wherever_the_power_is_cut(tmp_path: Path) -> None:
    cuts = each_power_cut(site_in(tmp_path), two_messages, root=lambda site: site.root, step=13)
    for cut in cuts:
        check(cut.state, whole=cut.completed)
