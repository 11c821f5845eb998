"""Listening sockets: bound by the supervisor, adopted from systemd, inherited by workers."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from serving.settings import UNIX_PATH_OCTETS_MAX, InternetAddress, SocketAddress, UnixAddress
from spool.errors import SettingsError

BACKLOG: Final = 1024  # the kernel cuts it to net.core.somaxconn
EVERYBODY: Final = 0o666
_FIRST_INHERITED: Final = 3  # sd_listen_fds(3)


@dataclass(frozen=True, slots=True)
class SocketAccess:
    """Who may connect to a UNIX socket: whom its mode and its group let write it. None leaves the group as it is."""

    mode: int = EVERYBODY
    group: str | None = None


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """What is to be served where.

    Plans are the same where protocol and address are: ``access`` to a socket that is kept is changed while it listens.
    """

    protocol: str
    address: SocketAddress
    access: SocketAccess = field(default=SocketAccess(), compare=False)


@dataclass(frozen=True, slots=True)
class Listener:
    """A plan and the socket that listens for it; ``address`` is where it really does (port 0 resolved)."""

    plan: ListenerPlan
    socket: socket.socket
    address: SocketAddress

    def __str__(self) -> str:
        return f"{self.plan.protocol}={self.address}"


def listen(address: SocketAddress, *, access: SocketAccess = SocketAccess()) -> socket.socket:
    """Bind and listen; connections queue from now on.

    Args:
        address: where; a left-over UNIX socket there is replaced, one that somebody listens on is not.
        access: who may connect to a UNIX socket.

    Raises:
        SettingsError: the address is wrong, taken, or not ours to bind; the message names it.
    """
    try:
        match address:
            case InternetAddress():
                return _listen_tcp(address)
            case UnixAddress():
                return _listen_unix(address.path, access)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot listen on {address}: {error}") from error


def address_of(listening: socket.socket) -> SocketAddress:
    """Where a socket listens."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return UnixAddress(Path(name))
    return InternetAddress(name[0], name[1])


def inherited_sockets(environment: Mapping[str, str], process: int) -> list[socket.socket]:
    """The listening stream sockets that systemd passed to this process (sd_listen_fds(3)).

    Args:
        environment: holds ``LISTEN_FDS`` and ``LISTEN_PID``, if any were passed.
        process: our process id; descriptors meant for another process are left alone.

    Raises:
        SettingsError: a descriptor is not a listening stream socket, or the variables are not numbers.
    """
    count, meant_for = environment.get("LISTEN_FDS", ""), environment.get("LISTEN_PID", "")
    if not count or meant_for != str(process):
        return []
    if not count.isdecimal() or int(count) > 1024:
        raise SettingsError(f"LISTEN_FDS: expected a number up to 1024, found {count[:20]!r}")
    return [_adopt(descriptor) for descriptor in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count))]


class ListeningSockets:
    """The supervisor's sockets by plan. One that stays over a reload keeps its queue of connections.

    By plan, not by address: two listeners may both leave the port to the kernel (port 0).

    Args:
        inherited: sockets from systemd, used instead of binding where the address is the same. They are never closed:
            systemd holds them too, and a later reload may want them.
    """

    def __init__(self, inherited: Iterable[socket.socket] = ()) -> None:
        self._inherited = {_key(address_of(each)): each for each in inherited}
        self._open: dict[ListenerPlan, socket.socket] = {}

    def prepare(self, plans: Iterable[ListenerPlan]) -> tuple[Listener, ...]:
        """Return a listener for each plan, binding what is not bound yet. Nothing is closed.

        Raises:
            SettingsError: one cannot be bound; those bound for these plans are closed again.
        """
        before = set(self._open)
        try:
            return tuple(self._listener(plan) for plan in plans)
        except SettingsError:
            self._close(set(self._open) - before)
            raise

    def keep_only(self, listeners: Iterable[Listener]) -> None:
        """Close the sockets of all other listeners."""
        self._close(set(self._open) - {listener.plan for listener in listeners})

    def _listener(self, plan: ListenerPlan) -> Listener:
        listening = self._open.get(plan)
        if listening is None:
            listening = self._inherited.get(_key(plan.address)) or listen(plan.address, access=plan.access)
            self._open[plan] = listening
        elif isinstance(plan.address, UnixAddress) and listening not in self._inherited.values():
            _change_access(plan.address, plan.access)
        return Listener(plan, listening, address_of(listening))

    def _close(self, plans: Iterable[ListenerPlan]) -> None:
        for plan in plans:
            listening = self._open.pop(plan)
            if listening in self._inherited.values():
                continue
            listening.close()
            if isinstance(plan.address, UnixAddress):
                with suppress(OSError):
                    plan.address.path.unlink()


def _change_access(address: UnixAddress, access: SocketAccess) -> None:
    try:
        _grant(address.path, access)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot change who may connect to {address}: {error}") from error


def _listen_tcp(address: InternetAddress) -> socket.socket:
    # The text form only: a name would mean DNS at start, and one name may mean several addresses.
    family = socket.AF_INET6 if ip_address(address.host).version == 6 else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # So that [::] and 0.0.0.0 can both be listed, and peers have one form of address.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address.host, address.port))
        return _start(listening)
    except OSError:
        listening.close()
        raise


def _listen_unix(path: Path, access: SocketAccess) -> socket.socket:
    if len(os.fsencode(path)) > UNIX_PATH_OCTETS_MAX:
        raise ValueError(f"a UNIX socket's path has at most {UNIX_PATH_OCTETS_MAX} octets")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # No umask: it belongs to the whole process. A socket without write permission refuses everybody meanwhile.
        os.fchmod(listening.fileno(), 0)
        listening.bind(os.fspath(path))
        _grant(path, access)
        return _start(listening)
    except OSError:
        listening.close()
        raise


def _grant(path: Path, access: SocketAccess) -> None:
    if access.group is not None:
        try:
            os.chown(path, -1, grp.getgrnam(access.group).gr_gid, follow_symlinks=False)
        except KeyError:
            raise ValueError(f"there is no group {access.group}") from None
    path.chmod(access.mode)


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ValueError("there is a file that is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ValueError("another process listens there")


def _start(listening: socket.socket) -> socket.socket:
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def _adopt(descriptor: int) -> socket.socket:
    try:
        listening = socket.socket(fileno=descriptor)
        listening.setblocking(False)
        os.set_inheritable(descriptor, False)
        accepts = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SettingsError(f"LISTEN_FDS: descriptor {descriptor} is not a socket") from error
    if not accepts or listening.type != socket.SOCK_STREAM:
        raise SettingsError(f"LISTEN_FDS: descriptor {descriptor} is not a listening stream socket")
    return listening


def _key(address: SocketAddress) -> SocketAddress:
    match address:
        case InternetAddress(host, port):
            return InternetAddress(ip_address(host).compressed, port)
        case UnixAddress(path):
            return UnixAddress(path)
