"""Tests of ``mta.server.endings``."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mta.server.endings import Ending


def waiting_for(ending: Ending) -> tuple[Deferred[None], list[object]]:
    waiting, seen = Deferred.fromCoroutine(ending.wait()), list[object]()
    waiting.addBoth(seen.append)
    return waiting, seen


def test_whoever_waits_goes_on_when_it_comes() -> None:
    ending = Ending()
    _, seen = waiting_for(ending)
    assert seen == []
    ending.come()
    assert seen == [None]


def test_what_has_come_already_is_not_waited_for() -> None:
    ending = Ending()
    ending.come()
    assert waiting_for(ending)[1] == [None]


def test_it_is_waited_for_however_often_that_is_cancelled() -> None:
    ending = Ending()
    waiting, seen = waiting_for(ending)
    for _ in range(3):
        waiting.cancel()
        assert seen == []
    ending.come()
    assert seen == [None]
