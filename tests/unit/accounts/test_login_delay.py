from __future__ import annotations

from accounts.login_delay import LoginDelay
from spool.names import UserName

YASUHI, OTHER = UserName("yasuhi"), UserName("other")


def test_a_second_login_must_wait() -> None:
    delay = LoginDelay()
    assert not delay.too_soon(YASUHI, 60, 0.0)
    delay.logged_in(YASUHI, 60, 0.0)
    assert delay.too_soon(YASUHI, 60, 59.0)
    assert not delay.too_soon(OTHER, 60, 59.0)
    assert not delay.too_soon(YASUHI, 60, 60.0)


def test_a_shorter_delay_counts_at_once() -> None:
    delay = LoginDelay()
    delay.logged_in(YASUHI, 60, 0.0)
    assert not delay.too_soon(YASUHI, 0, 1.0)


def test_without_a_delay_nothing_is_kept() -> None:
    delay = LoginDelay()
    delay.logged_in(YASUHI, 0, 0.0)
    assert not delay.too_soon(YASUHI, 60, 1.0)
