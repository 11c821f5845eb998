"""LMTP deliveries during which a system call fails: a temporary reply, nothing left behind, and the service goes on."""

from __future__ import annotations

import errno
import gc
from pathlib import Path

import pytest

from tests.crash.failing import Failing, each_failure
from tests.crash.lmtp_site import LmtpClient, LmtpSite, stored

BODY = b"Subject: in trouble\n\nbody\n"
AFTER = b"Subject: after\n\nbody\n"
DELIVERED = b"250 2.1.5 delivered"
NO_ROOM = {errno.ENOSPC: (b"452 4.3.1 ",), errno.EDQUOT: (b"452 4.2.2 ", b"452 4.3.1 ")}
# Whoever cannot look at or remove what they made must leave it: in tmp it is swept, a dot-lock becomes stale.
CLEANING = frozenset({"fstat", "stat", "unlink"})
MAKING = frozenset({"fsync", "rename", "write"})
"""Calls that make a delivery, and are never made only to look: what they meet is told as what it is."""

KEEPING = frozenset({"fchmod", "pread", "write"})
"""Calls by which a message is kept until it is delivered, among others: their trouble is that of all recipients."""

USERS = pytest.mark.parametrize("user", ["ann", "bob", "cat"], ids=["Maildir", "Maildir with a limit", "mbox"])
ERRORS = pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.EACCES, errno.EROFS],
    ids=errno.errorcode.__getitem__,
)


@pytest.fixture
def site(tmp_path: Path) -> LmtpSite:
    return LmtpSite(tmp_path)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def in_trouble(client: LmtpClient, failing: Failing, user: str) -> bytes:
    """Send a message while a call fails, and return the reply that decided about it."""
    with failing.during():
        (reply,) = client.send(BODY, user)
    return reply


@USERS
@ERRORS
def test_a_failing_call_refuses_a_delivery_for_now_or_does_not_matter(site: LmtpSite, user: str, number: int) -> None:
    client = site.connect()
    client.send(AFTER, user)
    expected = [stored(AFTER, user)]
    files = open_files()
    for failing in each_failure(number):
        client.service.good_recipients.forget(f"{user}@a.org")
        reply = in_trouble(client, failing, user)
        if reply == DELIVERED:
            expected.append(stored(BODY, user))
        else:
            assert reply.startswith((b"451 4.", b"452 4.")), failing.failed
            assert failing.failed not in MAKING or reply.startswith(NO_ROOM.get(number, (b"451 4.",))), failing.failed
        assert failing.failed in CLEANING or site.left_over() == [], failing.failed
        site.remove_left_over()
        if open_files() > files:
            gc.collect()  # what errors have left in reference cycles
        assert open_files() <= files, failing.failed
        assert client.send(AFTER, user) == [DELIVERED], failing.failed
        expected.append(stored(AFTER, user))
    assert sorted(site.messages(user)) == sorted(expected)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.__getitem__)
def test_a_recipient_in_trouble_is_no_trouble_to_the_others(site: LmtpSite, number: int) -> None:
    client = site.connect()
    delivered = 0
    for failing in each_failure(number):
        for each in ("ann", "cat"):
            client.service.good_recipients.note(f"{each}@a.org", 0)
        with failing.during():
            replies = client.send(BODY, "ann", "cat")
        assert len(replies) == 2
        assert DELIVERED in replies or failing.failed in KEEPING
        delivered += replies.count(DELIVERED)
        site.remove_left_over()
    assert len(site.messages("ann")) + len(site.messages("cat")) == delivered
