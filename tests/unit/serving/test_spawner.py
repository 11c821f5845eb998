"""A real spawner with mail processes that answer who they are; as root they become uid 54321, else our own."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.channel import Channel, ChannelError, Frame
from serving.children import drain_order
from serving.mail_processes import IDLE
from serving.program_lanes import LaneFullError
from serving.program_slots import ask_for_slot, give_back
from tests.unit.serving.spawning import MAIL_GID, MAIL_UID, RunningSpawner, SpawnerClient, ticket

Spawning = tuple[RunningSpawner, SpawnerClient]


def tell_who_i_am(control: Channel) -> int:
    """A mail process that answers each frame with facts about itself."""
    while (order := control.receive()) is not None:
        assert order.descriptor is not None
        with Channel(socket.socket(fileno=order.descriptor)) as session:
            while session.receive() is not None:
                os.umask(umask := os.umask(0))
                session.send(
                    Frame(
                        {
                            "pid": os.getpid(),
                            "group": os.getpgid(0),
                            "uid": os.getuid(),
                            "umask": umask,
                            "directory": str(Path.cwd()),
                            "user": order.text("user"),
                            "home": order.text("home"),
                        }
                    )
                )
        control.send(IDLE)
    return 0


def who(session: Channel) -> dict[str, object]:
    session.send(Frame({}))
    answer = session.receive()
    assert answer is not None
    return dict(answer.message)


@pytest.fixture
def spawning() -> Iterator[Spawning]:
    spawner = RunningSpawner(tell_who_i_am, uid_min=1, processes_per_user_max=3)
    client = spawner.connect()
    yield spawner, client
    client.channel.close()
    spawner.close()


def test_a_ticket_gives_a_socket_to_a_process_that_is_its_user(spawning: Spawning) -> None:
    with spawning[1].session(ticket(home="/home/f/fred")) as session:
        facts = who(session)
    assert facts == {
        "pid": facts["pid"],
        "group": facts["pid"],
        "uid": MAIL_UID,
        "umask": 0o077,
        "directory": "/",
        "user": "fred",
        "home": "/home/f/fred",
    }


def test_an_idle_process_serves_the_same_users_next_session(spawning: Spawning) -> None:
    spawner, client = spawning
    with client.session(ticket()) as session:
        first = who(session)["pid"]
    spawner.wait_for(lambda counters: counters["idle"] == 1)
    with client.session(ticket()) as session:
        assert who(session)["pid"] == first
    assert (spawner.counters()["forked"], spawner.counters()["reused"]) == (1, 1)


def test_two_sessions_at_once_have_two_processes(spawning: Spawning) -> None:
    with spawning[1].session(ticket()) as one, spawning[1].session(ticket()) as other:
        assert who(one)["pid"] != who(other)["pid"]


def test_a_process_that_is_idle_for_long_is_let_go() -> None:
    spawner = RunningSpawner(tell_who_i_am, idle_seconds=0.0)
    client = spawner.connect()
    client.session(ticket()).close()
    spawner.wait_for(lambda counters: counters["forked"] == 1 and counters["processes"] == 0)
    client.channel.close()
    spawner.close()


def test_an_idle_process_that_died_is_replaced(spawning: Spawning) -> None:
    spawner, client = spawning
    with client.session(ticket()) as session:
        pid = who(session)["pid"]
    assert isinstance(pid, int)
    spawner.wait_for(lambda counters: counters["idle"] == 1)
    watched = os.pidfd_open(pid)
    os.kill(pid, 9)
    assert select.select([watched], [], [], 20)[0]
    os.close(watched)
    with client.session(ticket()) as session:
        assert who(session)["pid"] != pid


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"", "not sealed"),
        (lambda: ticket()[:-1], "not sealed"),
        (lambda: ticket(key=bytes(32)), "not sealed"),
        (lambda: ticket(lifetime_seconds=-1), "expired"),
        (lambda: ticket(lifetime_seconds=3600), "expired"),
        (lambda: ticket(uid=0), "is not a mail user's"),
    ],
)
def test_a_ticket_that_is_not_good_is_refused(spawning: Spawning, make: Callable[[], bytes], why: str) -> None:
    answer = spawning[1].ask(make())
    assert isinstance(answer, str)
    assert why in answer


def test_a_uid_below_the_limit_is_refused() -> None:
    spawner = RunningSpawner(tell_who_i_am, uid_min=MAIL_UID + 1)
    client = spawner.connect()
    assert client.ask(ticket()) == f"uid {MAIL_UID} gid {MAIL_GID} is not a mail user's"
    client.channel.close()
    spawner.close()


def test_a_ticket_is_good_once_whoever_brings_it(spawning: Spawning) -> None:
    spawner, client = spawning
    octets = ticket()
    client.session(octets).close()
    other = spawner.connect()
    assert other.ask(octets) == "ticket used already"
    other.channel.close()


def test_one_user_has_so_many_processes_and_no_more(spawning: Spawning) -> None:
    spawner, client = spawning
    sessions = [client.session(ticket()) for _ in range(3)]
    assert client.ask(ticket()) == f"3 mail processes of uid {MAIL_UID}, 3 in all"
    assert spawner.counters()["refused"] == 1
    for session in sessions:
        session.close()


def test_a_session_can_be_killed_by_the_client_that_has_it_and_by_no_other(spawning: Spawning) -> None:
    spawner, client = spawning
    with client.session(ticket()) as session:
        other = spawner.connect()
        other.kill(client.number)
        assert isinstance(other.ask(b""), str)  # so the order to kill has been read
        assert who(session)["uid"] == MAIL_UID
        client.kill(client.number)
        assert session.receive() is None
        other.channel.close()
    spawner.wait_for(lambda counters: counters["processes"] == 0)


def test_a_kill_that_comes_late_does_not_hit_the_next_session(spawning: Spawning) -> None:
    spawner, client = spawning
    client.session(ticket()).close()
    first = client.number
    spawner.wait_for(lambda counters: counters["idle"] == 1)
    with client.session(ticket()) as session:
        client.kill(first)
        assert isinstance(client.ask(b""), str)
        assert who(session)["uid"] == MAIL_UID


def test_sessions_outlive_the_spawner() -> None:
    spawner = RunningSpawner(tell_who_i_am)
    client = spawner.connect()
    with client.session(ticket()) as session:
        spawner.close()
        assert who(session)["uid"] == MAIL_UID
    client.channel.close()


def test_a_draining_spawner_ends_with_its_last_client() -> None:
    spawner = RunningSpawner(tell_who_i_am)
    client = spawner.connect()
    spawner.child.control.send(drain_order(10))
    with client.session(ticket()) as session:
        assert who(session)["uid"] == MAIL_UID
    client.channel.close()
    assert spawner.child.control.receive() is None
    assert os.waitstatus_to_exitcode(os.waitpid(spawner.child.pid, 0)[1]) == 0
    spawner.child.control.close()


@pytest.fixture(scope="module")
def lasting() -> Iterator[RunningSpawner]:
    spawner = RunningSpawner(tell_who_i_am)
    yield spawner
    spawner.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    message=st.dictionaries(st.sampled_from(["number", "kill", "x"]), st.none() | st.booleans() | st.integers()),
    body=st.binary(max_size=100) | st.builds(lambda cut: ticket()[:-1][:cut], st.integers(0, 150)),
    raw=st.none() | st.binary(min_size=1, max_size=40),
)
def test_nothing_a_client_sends_starts_a_process_or_stops_the_spawner(
    lasting: RunningSpawner, message: dict[str, object], body: bytes, raw: bytes | None
) -> None:
    client = lasting.connect()
    try:
        client.channel.send(Frame(message, body))
        if raw is not None:
            os.write(client.channel.fileno(), raw)
    except (ChannelError, OSError):
        pass  # dropped already
    client.channel.close()
    assert lasting.counters()["forked"] == 0


def test_a_client_that_reads_late_gets_every_answer(spawning: Spawning) -> None:
    _, client = spawning
    requests = 2000  # many more answers than the kernel keeps for a socket
    for number in range(requests):
        client.channel.send(Frame({"number": number}, b"no ticket"))
    late = [client.channel.receive() for _ in range(requests)]
    assert [frame.number("number") for frame in late if frame is not None] == list(range(requests))


def test_programs_are_run_where_an_account_for_them_is_set(spawning: Spawning) -> None:
    assert spawning[1].programs("ann") == "no account is set to run programs as"
    spawner = RunningSpawner(tell_who_i_am, run_programs=tell_slot)
    client = spawner.connect()
    found, other = client.programs("ann"), client.programs("ben")
    assert isinstance(found, Channel)
    assert isinstance(other, Channel)
    with found, other:
        assert (took(found), took(other)) == (True, False)  # there is one slot
    spawner.wait_for(lambda counters: counters["program_idle"] == 2 and counters["programs"] == 0)
    assert client.programs("nobody") == "nobody"
    client.channel.close()
    spawner.close()


def tell_slot(control: Channel) -> int:
    """A program process that holds a slot, if it gets one, until its socket closes."""
    while (order := control.receive()) is not None:
        assert order.descriptor is not None
        with Channel(socket.socket(fileno=order.descriptor)) as delivery:
            try:
                ask_for_slot(control)
            except LaneFullError:
                delivery.send(Frame({"taken": False}))
            else:
                delivery.send(Frame({"taken": True}))
                delivery.receive()
                give_back(control, failed=False)
        control.send(IDLE)
    return 0


def took(delivery: Channel) -> bool:
    answer = delivery.receive()
    assert answer is not None
    return answer.message["taken"] is True
