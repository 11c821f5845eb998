from __future__ import annotations

import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from serving.settings import InternetAddress, UnixAddress
from serving.sockets import ListenerPlan, ListeningSockets, SocketAccess, address_of, inherited_sockets, listen
from spool.errors import SettingsError

ANY_PORT = ListenerPlan("pop3", InternetAddress("127.0.0.1", 0))


def connects(address: object) -> bool:
    if isinstance(address, InternetAddress):
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    else:
        family = socket.AF_UNIX
    target = (
        (address.host, address.port) if isinstance(address, InternetAddress) else str(address).removeprefix("unix:")
    )
    with socket.socket(family) as probe:
        try:
            probe.connect(target)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_tcp_socket_listens_where_it_says(host: str) -> None:
    with listen(InternetAddress(host, 0)) as listening:
        found = address_of(listening)
        assert isinstance(found, InternetAddress)
        assert found.host == host
        assert found.port > 0
        with socket.create_connection((host, found.port)):
            pass


def test_a_taken_address_is_an_error_that_names_it() -> None:
    with listen(InternetAddress("127.0.0.1", 0)) as listening:
        taken = address_of(listening)
        with pytest.raises(SettingsError, match=f"cannot listen on {taken}: .*in use"):
            listen(taken)


def test_a_unix_socket_has_the_mode_asked_for(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    with listen(address, access=SocketAccess(0o600)) as listening:
        assert address_of(listening) == address
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600


def test_a_left_over_unix_socket_is_replaced(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    listen(address).close()
    with listen(address):
        assert connects(address)


def test_a_unix_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "s")
    with listen(address):
        with pytest.raises(SettingsError, match="another process listens there"):
            listen(address)
        assert connects(address)


def test_a_file_that_is_not_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(SettingsError, match="not a socket"):
        listen(UnixAddress(path))
    assert path.read_text() == "precious"


def test_too_long_a_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at most 107 octets"):
        listen(UnixAddress(tmp_path / ("x" * 120)))


def test_a_unix_socket_in_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        listen(UnixAddress(tmp_path / "missing" / "s"))


def test_a_socket_that_stays_is_the_same_and_one_that_goes_is_closed(tmp_path: Path) -> None:
    sockets = ListeningSockets()
    local = ListenerPlan("lmtp", UnixAddress(tmp_path / "s"))
    before = sockets.prepare([ANY_PORT, local])
    after = sockets.prepare([ANY_PORT])
    assert after[0].socket is before[0].socket
    sockets.keep_only(after)
    assert connects(after[0].address)
    assert not connects(local.address)
    assert not (tmp_path / "s").exists()
    sockets.keep_only(())
    assert not connects(after[0].address)


def test_a_socket_may_belong_to_a_group(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen(UnixAddress(path), access=SocketAccess(0o620, grp.getgrgid(os.getegid()).gr_name)):
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o620, os.getegid())


def test_a_group_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no group nobodys"):
        listen(UnixAddress(tmp_path / "s"), access=SocketAccess(0o660, "nobodys"))


def test_who_may_connect_to_a_socket_that_stays_is_changed_while_it_listens(tmp_path: Path) -> None:
    sockets = ListeningSockets()
    address = UnixAddress(tmp_path / "s")
    (before,) = sockets.prepare([ListenerPlan("lmtp", address)])
    (after,) = sockets.prepare([ListenerPlan("lmtp", address, SocketAccess(0o600))])
    assert after.socket is before.socket
    assert stat.S_IMODE(address.path.stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="cannot change who may connect"):
        sockets.prepare([ListenerPlan("lmtp", address, SocketAccess(0o660, "nobodys"))])
    assert connects(address)
    sockets.keep_only(())


def test_when_one_socket_cannot_be_bound_none_of_the_new_ones_stays(tmp_path: Path) -> None:
    sockets = ListeningSockets()
    first = ListenerPlan("lmtp", UnixAddress(tmp_path / "s"))
    with pytest.raises(SettingsError):
        sockets.prepare([first, ListenerPlan("lmtp", UnixAddress(tmp_path / "missing" / "s"))])
    assert not connects(first.address)


def test_an_inherited_socket_is_used_where_the_address_is_the_same() -> None:
    inherited = listen(InternetAddress("::1", 0))
    found = address_of(inherited)
    assert isinstance(found, InternetAddress)
    plan = ListenerPlan("pop3", InternetAddress("0:0:0:0:0:0:0:1", found.port))
    sockets = ListeningSockets([inherited])
    with inherited:
        assert sockets.prepare([plan])[0].socket is inherited
        sockets.keep_only(())
        assert sockets.prepare([plan])[0].socket is inherited
        with pytest.raises(SettingsError):
            sockets.prepare([plan, ListenerPlan("pop3", UnixAddress(Path("/missing/s")))])
        assert connects(found)


def test_a_listener_shows_protocol_and_real_address() -> None:
    sockets = ListeningSockets()
    (listener,) = sockets.prepare([ANY_PORT])
    assert str(listener) == f"pop3={address_of(listener.socket)}"
    sockets.keep_only(())


@pytest.mark.parametrize(
    "environment", [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, {"LISTEN_PID": str(os.getpid())}]
)
def test_sockets_meant_for_another_process_are_left_alone(environment: dict[str, str]) -> None:
    assert inherited_sockets(environment, os.getpid()) == []


@pytest.mark.parametrize("count", ["many", "-1", "2000"])
def test_a_wrong_number_of_inherited_sockets_is_an_error(count: str) -> None:
    with pytest.raises(SettingsError, match="LISTEN_FDS"):
        inherited_sockets({"LISTEN_FDS": count, "LISTEN_PID": "7"}, 7)
