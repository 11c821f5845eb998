from __future__ import annotations

from accounts.sessions import Sessions
from spool.names import UserName

YASUHI = UserName("yasuhi")


def test_sessions_of_all_workers_count() -> None:
    sessions = Sessions()
    sessions.opened(1, YASUHI)
    sessions.opened(1, YASUHI)
    sessions.opened(2, YASUHI)
    assert sessions.count(YASUHI) == 3
    sessions.ended(1, YASUHI)
    assert sessions.count(YASUHI) == 2


def test_a_worker_cannot_end_sessions_it_does_not_have() -> None:
    sessions = Sessions()
    sessions.opened(1, YASUHI)
    sessions.ended(2, YASUHI)
    sessions.ended(1, UserName("other"))
    assert sessions.count(YASUHI) == 1


def test_sessions_of_a_worker_end_with_it() -> None:
    sessions = Sessions()
    sessions.opened(1, YASUHI)
    sessions.opened(1, YASUHI)
    sessions.opened(2, YASUHI)
    sessions.worker_gone(1)
    sessions.worker_gone(1)
    assert sessions.count(YASUHI) == 1


def test_nothing_stays_of_ended_sessions() -> None:
    sessions = Sessions()
    sessions.opened(1, YASUHI)
    sessions.ended(1, YASUHI)
    assert not sessions._total
    assert not sessions._by_worker[1]
