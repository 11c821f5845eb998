from __future__ import annotations

from pathlib import Path

from accounts.admission import Admission
from accounts.attempts import Attempt, Attempts, CacheEntry, Pending
from accounts.checks import Check, Verification
from accounts.identification import Claim
from accounts.requests import Granted, Peer, RefusalReason, Refused
from accounts.settings import AuthSettings, LoginPolicy
from spool.names import UserName
from tests.unit.accounts.fakes import FakeRecord

PEER = Peer("192.0.2.1", 1)
YASUHI = Claim(UserName("yasuhi"), FakeRecord(500, 500, Path("/spool/u/yasuhi")))
CHECKS: tuple[Check, ...] = (Verification((), b"first", "SHA"), Verification((), b"second", "SHA"))


def attempts(
    settings: AuthSettings | None = None, policy: LoginPolicy | None = None, pending_max: int = 10
) -> Attempts:
    admission = Admission(500, bytes(32), bytes)
    return Attempts(settings or AuthSettings(), policy or LoginPolicy(), admission, bytes, pending_max=pending_max)


def attempt(claim: Claim = YASUHI, checks: tuple[Check, ...] = (), password: bytes = b"pencil") -> Attempt:
    return Attempt(1, None, PEER, claim, 0.0, checks, cache_entry=CacheEntry(password, ()))


def test_checks_are_made_one_after_the_other_and_then_it_has_failed() -> None:
    table, one = attempts(), attempt(checks=CHECKS)
    for check in CHECKS:
        pending = table.proceed(one, 0.0)
        assert isinstance(pending, Pending)
        assert pending.check == check
        assert table.take(pending.token) is one
        assert table.take(pending.token) is None
    assert table.proceed(one, 0.0) == Refused(RefusalReason.CREDENTIALS, 2.0, YASUHI.user)


def test_an_attempt_with_a_check_that_could_not_be_made_is_temporary() -> None:
    one = attempt()
    one.unavailable = True
    assert attempts().proceed(one, 0.0) == Refused(RefusalReason.TEMPORARY, user=YASUHI.user)


def test_attempts_are_bounded_and_room_is_made_again() -> None:
    table = attempts(pending_max=1)
    first = table.proceed(attempt(checks=CHECKS), 0.0)
    assert isinstance(first, Pending)
    assert table.proceed(attempt(checks=CHECKS), 0.0) == Refused(RefusalReason.TEMPORARY, user=YASUHI.user)
    table.drop(lambda dropped: dropped.client_id == 1)
    assert table.take(first.token) is None
    assert isinstance(table.proceed(attempt(checks=CHECKS), 0.0), Pending)


def test_a_failure_is_answered_a_fixed_time_after_it_came() -> None:
    assert attempts().failed(attempt(), 0.5) == Refused(RefusalReason.CREDENTIALS, 1.5, YASUHI.user)
    assert attempts().failed(attempt(), 3.0) == Refused(RefusalReason.CREDENTIALS, 0.0, YASUHI.user)


def test_failures_make_an_address_wait_and_then_block_it() -> None:
    table = attempts(policy=LoginPolicy(failures_per_address=5))
    delays = [table.failed(attempt(Claim(None, None)), 0.0).delay_seconds for _ in range(5)]
    assert delays == [2.0, 2.0, 2.0, 4.0, 4.0]
    assert table.throttled(PEER, YASUHI, 0.0) == Refused(RefusalReason.THROTTLED, 2.0, YASUHI.user)
    assert table.throttled(Peer("192.0.2.2", 1), YASUHI, 0.0) is None


def test_failures_of_one_name_block_it_from_strangers() -> None:
    table = attempts()
    for number in range(60):
        one = attempt()
        one.peer = Peer(f"198.51.100.{number}", 1)
        table.failed(one, 0.0)
    assert table.throttled(PEER, YASUHI, 0.0) is not None
    assert table.throttled(PEER, Claim(UserName("other"), None), 0.0) is None
    assert table.throttled(PEER, Claim(None, None), 0.0) is None


def test_a_success_is_remembered_for_its_time() -> None:
    table = attempts()
    assert isinstance(table.proven(attempt(), 0.0), Granted)
    assert table.remembered(attempt(), 299.0)
    assert not table.remembered(attempt(), 300.0)
    assert not table.remembered(attempt(password=b"pen"), 0.0)
    assert not table.remembered(attempt(Claim(None, None)), 0.0)


def test_nothing_is_remembered_where_the_cache_is_off() -> None:
    table = attempts(AuthSettings(cache_seconds=0))
    table.proven(attempt(), 0.0)
    assert not table.remembered(attempt(), 0.0)


def test_nobody_is_admitted_whatever_was_proven() -> None:
    assert attempts().proven(attempt(Claim(UserName("nobody"), None)), 0.0).reason is RefusalReason.CREDENTIALS  # type: ignore[union-attr]


def test_what_stands_against_an_admission_is_answered_at_once() -> None:
    table = attempts(policy=LoginPolicy(connections_per_user=1))
    table.proven(attempt(), 0.0)
    assert table.proven(attempt(), 0.0) == Refused(RefusalReason.TOO_MANY_SESSIONS, 0.0, YASUHI.user)


def test_an_attempt_does_not_show_its_password() -> None:
    assert "pencil" not in repr(attempt())
