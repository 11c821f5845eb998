"""The terminals on which a user is logged in and has said that they want notices.

Who is logged in where stands in utmp; on systems that keep none, in the records of logind (one file a session, lines
``KEY=VALUE``). Neither is believed: a terminal counts if it is a character device below the directory of devices,
belongs to the user, and has the execute bit of its owner set, which is what ``biff y`` and ``chmod u+x`` do.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_RECORD: Final = struct.Struct("h2xi32s4s32s")  # how struct utmp of glibc begins (utmp(5)): type, pid, line, id, user
# The times behind that have 64 bits on machines that glibc was ported to without a 32-bit past.
_RECORD_OCTETS: Final = 400 if os.uname().machine in {"aarch64", "riscv64", "loongarch64"} else 384
_USER_PROCESS: Final = 7
_NAME_OCTETS_MAX: Final = 32
_UTMP_OCTETS_MAX: Final = 16 * 1024 * 1024
_SESSION_OCTETS_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look."""

    devices: Path = Path("/dev")
    utmp: Path = Path("/run/utmp")
    sessions: Path = Path("/run/systemd/sessions")


def terminals_of(user: str, places: Places) -> tuple[str, ...]:
    """Name the terminals on which a user seems to be logged in, relative to the directory of devices, each once.

    What cannot be read says nothing.
    """
    with suppress(OSError), places.utmp.open("rb") as file:
        return tuple(dict.fromkeys(_in_utmp(file.read(_UTMP_OCTETS_MAX), os.fsencode(user))))
    return tuple(dict.fromkeys(_in_sessions(places.sessions, user)))


def write_to_terminal(name: str, text: str, uid: int, devices: Path) -> bool:
    """Write to one terminal if its user wants that; says whether it was written.

    Never waits: on a terminal that was stopped (XOFF) the notice is lost.

    Args:
        name: relative to ``devices``.
        text: what the terminal shall show.
        uid: of the user, to whom the terminal must belong.
        devices: the directory of devices.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(devices / name, flags)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        wanted = stat.S_ISCHR(status.st_mode) and status.st_uid == uid and bool(status.st_mode & stat.S_IXUSR)
        if not wanted or not os.isatty(descriptor):
            return False
        os.write(descriptor, text.encode("utf-8", "replace"))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _in_utmp(octets: bytes, user: bytes) -> Iterator[str]:
    if len(user) > _NAME_OCTETS_MAX:
        return  # it was cut in there, and another user's name may begin like it
    for offset in range(0, len(octets) - _RECORD_OCTETS + 1, _RECORD_OCTETS):
        kind, _, line, _, name = _RECORD.unpack_from(octets, offset)
        if kind == _USER_PROCESS and name.partition(b"\0")[0] == user:
            yield from _checked(os.fsdecode(line.partition(b"\0")[0]))


def _in_sessions(directory: Path, user: str) -> Iterator[str]:
    try:
        files = sorted(directory.iterdir())
    except OSError:
        return
    for path in files:
        with suppress(OSError), path.open("rb") as file:
            lines = file.read(_SESSION_OCTETS_MAX).decode("utf-8", "replace").splitlines()
            fields = dict(line.split("=", 1) for line in lines if "=" in line)
            if fields.get("USER") == user:
                yield from _checked(fields.get("TTY", ""))


def _checked(line: str) -> Iterator[str]:
    # As qbiff: "pts/3" is a terminal, ":0" of a display manager and "ftp1.2" are none, and nothing leads upwards.
    if line and not line.startswith(("/", ":")) and "." not in line:
        yield line
