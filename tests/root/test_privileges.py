"""Becoming another user for good, as only root can."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from serving.channel import Channel, Frame
from serving.privileges import Identity, become
from tests.unit.serving.forks import outcome_of_child
from tests.unit.serving.spawning import RunningSpawner, ticket

pytestmark = pytest.mark.root

UID, GID, GROUP = 54321, 54322, 54323


def test_a_process_becomes_the_user_with_all_its_ids_and_groups_and_cannot_go_back() -> None:
    def attempt() -> str:
        become(Identity(UID, GID, (GROUP,)))
        assert (os.getresuid(), os.getresgid()) == ((UID,) * 3, (GID,) * 3)
        assert set(os.getgroups()) <= {GID, GROUP}
        with pytest.raises(PermissionError):
            os.setuid(0)
        with pytest.raises(PermissionError):
            os.setgid(0)
        with pytest.raises(PermissionError):
            os.setgroups([0])
        return "stayed"

    assert outcome_of_child(attempt) == "stayed"


def test_root_may_stay_root_only_where_that_is_permitted() -> None:
    def attempt() -> str:
        become(Identity(0, 0), root_permitted=True)
        return str(os.getresuid())

    assert outcome_of_child(attempt) == "(0, 0, 0)"


def test_mail_processes_of_two_users_are_kept_apart() -> None:
    spawner = RunningSpawner(_send_uid_and_signal)
    client = spawner.connect()
    with client.session(ticket(UID, GID)) as one, client.session(ticket(UID + 1, GID)) as other:
        first, second = one.receive(), other.receive()
        assert first is not None
        assert second is not None
        assert (first.number("uid"), second.number("uid")) == (UID, UID + 1)
        one.send(Frame({"victim": second.number("pid")}))
        outcome = one.receive()
        assert outcome is not None
        assert outcome.text("outcome") == "not permitted"
    client.channel.close()
    spawner.close()


def test_a_ticket_for_group_root_is_refused() -> None:
    spawner = RunningSpawner(_send_uid_and_signal)
    client = spawner.connect()
    assert client.ask(ticket(UID, 0)) == f"uid {UID} gid 0 is not a mail user's"
    client.channel.close()
    spawner.close()


def _send_uid_and_signal(control: Channel) -> int:
    """Say who we are, then try to kill the process that is named."""
    order = control.receive()
    assert order is not None
    assert order.descriptor is not None
    with Channel(socket.socket(fileno=order.descriptor)) as session:
        session.send(Frame({"uid": os.getuid(), "pid": os.getpid()}))
        if (request := session.receive()) is not None:
            try:
                os.kill(request.number("victim"), signal.SIGKILL)
            except PermissionError:
                session.send(Frame({"outcome": "not permitted"}))
    return 0
