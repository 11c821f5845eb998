"""Remembered wire sizes of messages whose names do not tell them, or tell them wrongly.

The index is disposable: losing it costs reading those messages once more. So it is not synced, and whatever in it is
not what we write is passed over: a line torn by a crash, a line mixed from two, a file of something else.

A line ``KEY DISK_OCTETS MTIME_NS WIRE_OCTETS .`` says what the message with that key (``spool.unique_ids``) had when
its file had this size and was last written then. Later lines replace earlier ones. The dot at the end shows that the
line is whole.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection
from typing import Final, NamedTuple

from spool import durable
from spool.errors import SpoolError
from spool.mailbox import MailboxLocation
from spool.state import make_state_directory, state_file

INDEX_OCTETS_MAX: Final = 64 * 1024 * 1024

_LINE: Final = re.compile(rb"^([!-~]{1,70}) ([0-9]{1,15}) (-?[0-9]{1,20}) ([0-9]{1,15}) \.$", re.MULTILINE)
_SPARE_LINES: Final = 1000  # a file of that many useless lines is read in about a millisecond


class _Size(NamedTuple):
    disk_octets: int
    mtime_ns: int
    wire_octets: int


class SizeIndex:
    """The index of one Maildir, read when it is made. No method raises for what the file is or holds."""

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location
        self._path = state_file(location, ".sizes")
        self._sizes: dict[str, _Size] = {}
        self._added: list[str] = []
        self._lines = 0
        with contextlib.suppress(OSError):
            self._read()

    def find(self, key: str, status: os.stat_result) -> int | None:
        """The wire octets of a message, if they are known for the file as it is now."""
        match self._sizes.get(key):
            case _Size(disk_octets, mtime_ns, wire_octets) if (disk_octets, mtime_ns) == _version(status):
                return wire_octets
            case _:
                return None

    def __contains__(self, key: str) -> bool:
        return key in self._sizes

    def remember(self, key: str, status: os.stat_result, wire_octets: int) -> None:
        """Note the wire octets of a message for later; on disk after ``save``."""
        size = _Size(*_version(status), wire_octets)
        self._sizes[key] = size
        self._added.append(_line(key, size))

    def save(self, keys: Collection[str]) -> None:
        """Write down what was noted; written anew if it is mostly about messages that ``keys`` does not hold.

        Nothing is said if that fails: the next session counts again.
        """
        if not self._added:
            return
        with contextlib.suppress(SpoolError, OSError):
            make_state_directory(self._location)
            if self._lines + len(self._added) > 2 * len(keys) + _SPARE_LINES:
                known = [_line(key, self._sizes[key]) for key in self._sizes.keys() & keys]
                durable.replace_file(self._path, ["".join(known).encode("ascii")])
                self._lines = len(known)
            else:
                self._append()
                self._lines += len(self._added)
            self._added.clear()

    def _read(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(INDEX_OCTETS_MAX)
        self._lines = data.count(b"\n")
        for key, disk_octets, mtime_ns, wire_octets in _LINE.findall(data):
            self._sizes[key.decode("ascii")] = _Size(int(disk_octets), int(mtime_ns), int(wire_octets))

    def _append(self) -> None:
        descriptor = durable.open_for_append(self._path, create_mode=0o600)
        try:
            # The empty line in front ends a torn one.
            durable.write_all(descriptor, "".join(("\n", *self._added)).encode("ascii"))
        finally:
            os.close(descriptor)


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _line(key: str, size: _Size) -> str:
    return f"{key} {size.disk_octets} {size.mtime_ns} {size.wire_octets} .\n"
