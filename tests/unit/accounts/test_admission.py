from __future__ import annotations

from accounts.admission import Admission
from accounts.requests import Granted, RefusalReason
from accounts.settings import LoginPolicy
from accounts.tickets import LIFETIME_SECONDS, Ticket, open_ticket
from spool.names import UserName
from tests.unit.accounts.fakes import FakeDirectory

KEY = bytes(32)


def admit(
    admission: Admission, name: str, policy: LoginPolicy | None = None, now: float = 0.0
) -> Granted | RefusalReason:
    record = FakeDirectory().records[name]
    return admission.admit(1, UserName(name), record, policy or LoginPolicy(), now)


def admission() -> Admission:
    return Admission(500, KEY, lambda count: b"n" * count)


def test_the_service_uid_needs_no_ticket() -> None:
    granted = admit(admission(), "yasuhi")
    assert isinstance(granted, Granted)
    assert (granted.user.text, granted.uid, granted.gid, str(granted.home)) == ("yasuhi", 500, 500, "/spool/u/yasuhi")
    assert granted.ticket == b""


def test_another_uid_gets_a_ticket_of_the_same_content() -> None:
    granted = admit(admission(), "own", now=7.0)
    assert isinstance(granted, Granted)
    assert open_ticket(KEY, granted.ticket, 7.0) == Ticket(
        granted.user, granted.uid, granted.gid, granted.home, 7.0 + LIFETIME_SECONDS, b"n" * 16
    )


def test_a_system_account_is_never_admitted() -> None:
    assert admit(admission(), "root") is RefusalReason.PERMANENT
    assert admit(admission(), "yasuhi", LoginPolicy(uid_min=501)) is RefusalReason.PERMANENT


def test_without_a_spawner_another_uid_is_for_the_operator_to_mend() -> None:
    door = Admission(500, b"", lambda count: b"n" * count)
    assert admit(door, "own") is RefusalReason.PERMANENT
    assert isinstance(admit(door, "yasuhi"), Granted)


def test_a_user_may_come_too_soon() -> None:
    door, policy = admission(), LoginPolicy(login_delay_seconds=60)
    assert isinstance(admit(door, "yasuhi", policy, 0.0), Granted)
    assert admit(door, "yasuhi", policy, 59.0) is RefusalReason.LOGIN_DELAY
    assert isinstance(admit(door, "yasuhi", policy, 60.0), Granted)


def test_a_login_whose_maildrop_was_not_opened_delays_no_other() -> None:
    door, policy = admission(), LoginPolicy(login_delay_seconds=60)
    admit(door, "yasuhi", policy, 0.0)
    door.ended(2, UserName("yasuhi"), opened=False)  # of another worker: not believed
    assert admit(door, "yasuhi", policy, 1.0) is RefusalReason.LOGIN_DELAY
    door.ended(1, UserName("yasuhi"), opened=False)
    assert isinstance(admit(door, "yasuhi", policy, 1.0), Granted)
    door.ended(1, UserName("yasuhi"), opened=True)
    assert admit(door, "yasuhi", policy, 2.0) is RefusalReason.LOGIN_DELAY


def test_a_user_may_have_too_many_sessions() -> None:
    door, policy = admission(), LoginPolicy(connections_per_user=1)
    assert isinstance(admit(door, "yasuhi", policy), Granted)
    assert admit(door, "yasuhi", policy) is RefusalReason.TOO_MANY_SESSIONS
    assert isinstance(admit(door, "own", policy), Granted)
    door.ended(1, UserName("yasuhi"), opened=True)
    assert isinstance(admit(door, "yasuhi", policy), Granted)


def test_a_limit_of_zero_is_none() -> None:
    door, policy = admission(), LoginPolicy(connections_per_user=0)
    assert all(isinstance(admit(door, "yasuhi", policy), Granted) for _ in range(50))
