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
from serving.orders import IDLE
from serving.program_admission import NoSlotError
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


def deliver_slowly(control: Channel) -> int:
    """A delivery process that says which user it was given, and takes a slot, gives one back or talks as it is told."""
    while (order := control.receive()) is not None:
        assert order.descriptor is not None
        idle_said = False
        with Channel(socket.socket(fileno=order.descriptor)) as worker:
            worker.send(Frame({**order.message, "uid": os.getuid(), "pid": os.getpid(), "group": os.getpgid(0)}))
            while (told := worker.receive()) is not None:
                match told.message:
                    case {"do": "take"}:
                        control.send(Frame({"kind": "take"}))
                        answer = control.receive()
                        assert answer is not None
                        worker.send(answer)
                    case {"do": "rest"}:
                        control.send(IDLE)
                        worker.send(Frame({}))
                        idle_said = True
                        break
                    case told_words:
                        control.send(Frame(told_words["words"]))
        if not idle_said:
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


# -- deliveries -------------------------------------------------------------------------------------------------------


@pytest.fixture
def delivering() -> Iterator[Spawning]:
    spawner = RunningSpawner(tell_who_i_am, deliver=deliver_slowly)
    client = spawner.connect()
    yield spawner, client
    client.channel.close()
    spawner.close()


def delivery_to(client: SpawnerClient, address: str) -> tuple[Channel, dict[str, object]]:
    """A delivery process, and what it says of itself."""
    worker = client.delivery(address)
    assert isinstance(worker, Channel), worker
    said = worker.receive()
    assert said is not None
    return worker, dict(said.message)


def slot_of(worker: Channel) -> object:
    """Have a delivery process take a slot; None, or why it gets none."""
    worker.send(Frame({"do": "take"}))
    answer = worker.receive()
    assert answer is not None
    return answer.message["refused"]


def test_an_address_gives_a_socket_to_a_process_that_is_whoever_it_belongs_to(delivering: Spawning) -> None:
    worker, facts = delivery_to(delivering[1], "ann")
    worker.close()
    assert facts == {"user": "ann", "uid": MAIL_UID, "pid": facts["pid"], "group": facts["pid"]}


@pytest.mark.parametrize(("address", "why"), [("nobody", "nobody"), ("root", "uid 0 gid 0 is not a mail user's")])
def test_an_address_that_is_nobodys_or_roots_is_refused(delivering: Spawning, address: str, why: str) -> None:
    assert delivering[1].delivery(address) == why


def test_an_address_of_a_uid_below_the_limit_is_refused() -> None:
    spawner = RunningSpawner(tell_who_i_am, uid_min=MAIL_UID + 1, deliver=deliver_slowly)
    client = spawner.connect()
    assert client.delivery("ann") == f"uid {MAIL_UID} gid {MAIL_GID} is not a mail user's"
    client.channel.close()
    spawner.close()


def test_a_worker_chooses_neither_user_nor_home(delivering: Spawning) -> None:
    _, client = delivering
    claims = {"user": "ben", "uid": 0, "gid": 0, "home": "/root", "ticket": "x"}
    client.channel.send(Frame({**claims, "number": 1, "address": "ann"}, ticket(uid=0)))
    answer = client.channel.receive()
    assert answer is not None
    assert answer.descriptor is not None
    with Channel(socket.socket(fileno=answer.descriptor)) as worker:
        said = worker.receive()
    assert said is not None
    assert (said.text("user"), said.number("uid"), "home" in said.message) == ("ann", MAIL_UID, False)


def test_a_delivery_that_follows_at_once_needs_no_other_process(delivering: Spawning) -> None:
    spawner, client = delivering
    with delivery_to(client, "ann")[0] as worker:
        worker.send(Frame({"do": "rest"}))
        assert worker.receive() == Frame({})  # so the spawner can hear of it, too
    second, _ = delivery_to(client, "ann")
    second.close()
    assert spawner.counters()["delivery_forked"] == 1


def test_sessions_and_deliveries_have_processes_of_their_own(delivering: Spawning) -> None:
    spawner, client = delivering
    with client.session(ticket()) as session, delivery_to(client, "fred")[0]:
        who(session)
        counters = spawner.counters()
    assert (counters["processes"], counters["delivery_processes"]) == (1, 1)


def test_few_idle_delivery_processes_are_kept(delivering: Spawning) -> None:
    spawner, client = delivering
    workers = [delivery_to(client, name)[0] for name in ("ann", "ben")]
    for worker in workers:
        worker.close()
    spawner.wait_for(lambda counters: (counters["delivery_idle"], counters["delivery_processes"]) == (1, 1))


def test_programs_of_all_processes_share_the_slots(delivering: Spawning) -> None:
    spawner, client = delivering
    with delivery_to(client, "ann")[0] as ann, delivery_to(client, "ben")[0] as ben:
        assert slot_of(ann) is None
        assert slot_of(ben) == "ben: 1 programs of users who are not proven are running, and no more than 1 may"
        ann.send(Frame({"do": "say", "words": {"kind": "give_back", "failed": False}}))
        spawner.wait_for(lambda counters: counters["programs"] == 0)
        assert slot_of(ben) is None


def test_a_delivery_that_is_killed_gives_its_slot_back(delivering: Spawning) -> None:
    spawner, client = delivering
    with delivery_to(client, "ann")[0] as worker:
        assert slot_of(worker) is None
        client.kill(client.number)
        assert worker.receive() is None
    spawner.wait_for(lambda counters: (counters["programs"], counters["users_penalised"]) == (0, 1))


def test_the_deliveries_of_a_worker_that_is_gone_are_killed(delivering: Spawning) -> None:
    spawner, _ = delivering
    other = spawner.connect()
    with delivery_to(other, "ann")[0] as worker:
        other.channel.close()
        assert worker.receive() is None
    spawner.wait_for(lambda counters: counters["delivery_processes"] == 0)


def test_a_worker_that_uses_a_number_twice_is_dropped_with_its_deliveries(delivering: Spawning) -> None:
    spawner, client = delivering
    with delivery_to(client, "ann")[0] as worker:
        client.channel.send(Frame({"number": client.number, "address": "ann"}))
        assert client.channel.receive() is None
        assert worker.receive() is None
    spawner.wait_for(lambda counters: counters["delivery_processes"] == 0)


@pytest.mark.parametrize("words", [{"kind": "?"}, {"kind": "give_back", "failed": False}, {"kind": "idle", "x": 1}])
def test_a_delivery_process_that_talks_nonsense_is_killed(delivering: Spawning, words: dict[str, object]) -> None:
    _, client = delivering
    with delivery_to(client, "ann")[0] as worker:
        worker.send(Frame({"do": "say", "words": words}))
        assert worker.receive() is None


def test_too_many_processes_are_refused_as_too_many(spawning: Spawning) -> None:
    _, client = spawning
    sessions = [client.session(ticket()) for _ in range(3)]
    client.channel.send(Frame({"number": 9}, ticket()))
    answer = client.channel.receive()
    assert answer is not None
    assert answer.message["full"] is True
    for session in sessions:
        session.close()


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
            except NoSlotError:
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
