from __future__ import annotations

import os

from accounts.success_cache import SuccessCache
from spool.names import UserName

YASUHI = UserName("yasuhi")
LINES = ("{PLAIN}a",)


def cache() -> SuccessCache:
    known = SuccessCache(os.urandom, entries_max=2)
    known.remember(YASUHI, b"tanstaaf", LINES, 10.0)
    return known


def test_a_right_password_is_known_until_it_expires() -> None:
    assert cache().knows(YASUHI, b"tanstaaf", LINES, 9.9)
    assert not cache().knows(YASUHI, b"tanstaaf", LINES, 10.0)


def test_another_password_user_or_line_is_not() -> None:
    assert not cache().knows(YASUHI, b"tanstaag", LINES, 0.0)
    assert not cache().knows(UserName("other"), b"tanstaaf", LINES, 0.0)
    assert not cache().knows(YASUHI, b"tanstaaf", ("{PLAIN}b",), 0.0)
    assert not cache().knows(YASUHI, b"tanstaaf", (), 0.0)


def test_it_forgets_the_oldest_when_full() -> None:
    crowded = cache()
    crowded.remember(UserName("a"), b"x", (), 10.0)
    crowded.remember(UserName("b"), b"x", (), 10.0)
    assert not crowded.knows(YASUHI, b"tanstaaf", LINES, 0.0)


def test_parts_are_not_confused() -> None:
    known = SuccessCache(os.urandom)
    known.remember(YASUHI, b"ab", ("c",), 10.0)
    assert not known.knows(YASUHI, b"a", ("bc",), 0.0)


def test_it_never_holds_a_password() -> None:
    assert b"tanstaaf" not in repr(vars(cache())["_entries"]._entries).encode()
