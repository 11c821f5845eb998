"""Remembered wire sizes of messages whose names do not tell them, or tell them wrongly.

A message never changes, says the format: a name leads to the same octets for good. So its size is remembered by its
name and believed without a look at the file (a look at each of 100,000 takes 0.35 s), as a size that stands in the name
is. Should somebody rewrite a message in place, its true size is remembered as soon as it was sent.

The index is disposable: losing it costs reading those messages once more. So it is not synced, and whatever in it is
not what we write is passed over: a line torn by a crash, a line mixed from two, a file of something else.

A line ``KEY WIRE_OCTETS .`` says the size of the message with that key (``spool.unique_ids``). Later lines replace
earlier ones. The dot at the end shows that the line is whole.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Sequence
from typing import ClassVar, Final

from spool import durable
from spool.errors import SpoolError
from spool.mailbox import MailboxLocation
from spool.state import make_state_directory, state_file

INDEX_OCTETS_MAX: Final = 64 * 1024 * 1024

_LINE: Final = re.compile(r"^([!-~]{1,70} [0-9]{1,15}) \.$", re.MULTILINE)
_SPARE_LINES: Final = 1000  # a file of that many useless lines is read in about a millisecond


class SizeIndex:
    """The index of one Maildir, read when it is made. No method raises for what the file is or holds."""

    SUFFIX: ClassVar[str] = ".sizes"

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location
        self._path = state_file(location, self.SUFFIX)
        self._sizes: dict[str, str] = {}  # as digits: most of them are never asked for as numbers
        self._added: list[str] = []
        self._lines = 0
        with contextlib.suppress(OSError):
            self._read()

    def corrected(self, keys: Sequence[str], sizes: list[str]) -> list[str]:
        """Return the sizes, in digits, of the messages with these keys: what is remembered, else what is given."""
        return list(map(self._sizes.get, keys, sizes)) if self._sizes else sizes

    def remember(self, key: str, wire_octets: int) -> None:
        """Note the wire octets of a message for later; on disk after ``save``."""
        self._sizes[key] = str(wire_octets)
        self._added.append(key)

    def save(self, keys: Collection[str]) -> bool:
        """Write down what was noted; written anew if it is mostly about messages that ``keys`` does not hold.

        Returns:
            Whether it was: if nothing was noted it was not, nor if it failed, and then the next session counts again.
        """
        if not self._added:
            return False
        with contextlib.suppress(SpoolError, OSError):
            make_state_directory(self._location)
            if self._lines + len(self._added) > 2 * len(keys) + _SPARE_LINES:
                known = self._sizes.keys() & keys
                durable.replace_file(self._path, [self._text(known)])
                self._lines = len(known)
            else:
                self._append()
                self._lines += len(self._added)
            self._added.clear()
        return not self._added

    def _read(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(INDEX_OCTETS_MAX)
        self._lines = data.count(b"\n")
        # latin-1 cannot fail, and what is not ASCII does not fit the pattern.
        self._sizes = dict(map(str.split, _LINE.findall(data.decode("latin-1"))))

    def _append(self) -> None:
        descriptor = durable.open_for_append(self._path, create_mode=0o600)
        try:
            # The empty line in front ends a torn one.
            durable.write_all(descriptor, b"\n" + self._text(self._added))
        finally:
            os.close(descriptor)

    def _text(self, keys: Collection[str]) -> bytes:
        return "".join([f"{key} {self._sizes[key]} .\n" for key in keys]).encode("ascii")
