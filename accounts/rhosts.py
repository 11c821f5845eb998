"""``.rhosts``: which accounts on which hosts a user trusts, for RPOP (RFC 1225; ruserok(3)).

The rules are those of ``ruserok``, made narrower: a lone ``+`` for the host never matches; netgroups are not known, so
a line that would let one in lets nobody in and a line that would keep one out keeps everybody out; a file of more than
64 KiB or 1000 lines says nothing at all. There is no ``hosts.equiv``.

    line = [host [1*WS user]] [WS] ["#" comment]
    host = ["+" | "-"] name-or-address        user = ["+" | "-"] name | "+"

The first line that matches decides. Without a user, the account on the host must have the local user's name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, TypeAlias

from spool.errors import HomeUnavailableError, SpoolError
from spool.homes import open_home
from spool.names import UserName

MAX_RHOSTS_OCTETS: Final = 64 * 1024
MAX_RHOSTS_LINES: Final = 1000
_Fits: TypeAlias = Callable[[bytes], bool]
_NO_FILE: Final = frozenset({errno.ELOOP, errno.ENXIO})  # what open(2) says of a link (O_NOFOLLOW) and of a socket
_SAFELY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UntrustedRhostsError(SpoolError):
    """There is a ``.rhosts``, but somebody else than the user may have written it: a refusal, not trouble."""


@dataclass(frozen=True, slots=True)
class RhostsVerdict:
    """What the file says; ``line`` is the line that decided, from 1, None if none did."""

    allowed: bool
    line: int | None


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    """Who asks: an account on a host, known by its address and by names whose forward look-up gives that address."""

    address: str
    hosts: tuple[str, ...]
    user: bytes


def judge(content: bytes, remote: RemoteAccount, local: UserName) -> RhostsVerdict:
    """Decide whether the file lets a remote account in as the local user."""
    lines = content.split(b"\n")
    if len(content) > MAX_RHOSTS_OCTETS or len(lines) > MAX_RHOSTS_LINES + 1:
        return RhostsVerdict(allowed=False, line=None)
    names = frozenset(_host_name(host.encode("ascii", "replace")) for host in remote.hosts)
    address = _address(remote.address.encode("ascii", "replace"))
    for number, line in enumerate(lines, start=1):
        verdict = _judge_line(line.partition(b"#")[0].split(), names, address, remote.user, local.text.encode("ascii"))
        if verdict is not None:
            return RhostsVerdict(verdict, number)
    return RhostsVerdict(allowed=False, line=None)


def _judge_line(
    fields: Sequence[bytes],
    names: frozenset[bytes],
    address: IPv4Address | IPv6Address | None,
    remote_user: bytes,
    local_user: bytes,
) -> bool | None:
    """True lets in, False keeps out, None goes on to the next line."""
    match fields:
        case [host]:
            user = local_user
        case [host, user]:
            pass
        case _:
            return None
    host_answer = _field_answer(host, lambda name: _host_name(name) in names or _address(name) in {address} - {None})
    if host_answer is not True:
        return host_answer
    if user == b"+":
        return True
    return _field_answer(user, lambda name: name == remote_user)


def _field_answer(field: bytes, fits: _Fits) -> bool | None:
    """What one field says: True if it matches, False if it matches and keeps out, None if it does not match."""
    if field == b"+" or field.startswith(b"+@"):
        return None
    if field.startswith(b"-@"):
        return False
    if field.startswith(b"-"):
        return False if fits(field[1:]) else None
    return True if fits(field.removeprefix(b"+")) else None


def _host_name(name: bytes) -> bytes:
    return name.lower().removesuffix(b".")


def _address(text: bytes) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.decode("ascii"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_rhosts(home: Path, uid: int, *, moved_below: Path | None = None) -> bytes:
    """Read ``.rhosts`` in a home, without waiting; empty if there is none.

    Both are judged by what was opened, not by name. No link is followed but the one that a rehash left in the place of
    a home. To be called with the rights of ``uid`` where that is another's.

    Args:
        home: as it stands in the assign record.
        uid: of the user.
        moved_below: the spool root, below which the home may have been moved.

    Raises:
        UntrustedRhostsError: home or file belong to somebody else, can be written by others, or the file is no
            regular file with one name.
        HomeUnavailableError: the home or the file cannot be read now.
    """
    try:
        with contextlib.ExitStack() as closing:
            directory, home = open_home(home, moved_below)
            closing.callback(os.close, directory)
            _require_trusted(os.fstat(directory), uid, f"{home}")
            try:
                descriptor = os.open(".rhosts", _SAFELY, dir_fd=directory)
            except FileNotFoundError:
                return b""
            except OSError as error:
                if error.errno in _NO_FILE:
                    raise UntrustedRhostsError(f"{home}/.rhosts: expected a regular file with one link") from error
                raise
            closing.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            _require_trusted(status, uid, f"{home}/.rhosts")
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise UntrustedRhostsError(f"{home}/.rhosts: expected a regular file with one link")
            # One octet more than is allowed shows judge() that there is more.
            return os.read(descriptor, MAX_RHOSTS_OCTETS + 1)
    except OSError as error:
        raise HomeUnavailableError(f"{home}: {error.strerror}") from error


def _require_trusted(status: os.stat_result, uid: int, what: str) -> None:
    if status.st_uid not in {uid, 0}:
        raise UntrustedRhostsError(f"{what}: expected owner {uid} or root, found {status.st_uid}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedRhostsError(f"{what}: can be written by group or others")
