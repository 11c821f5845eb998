"""Reading constant databases (cdb) written by anybody.

A cdb is 256 pointers to hash tables, then the records, then the tables; all numbers are 32-bit little-endian. This
reader differs from the common ones, and from ``cdbx``, with which we write, in two ways that matter for a directory of
users. It takes a file for what it is, outside data: every number is checked before it is followed. And it answers
"there is no such key" only from a hash table that is whole, because a page of zeros in a torn file looks like that
answer too. It reads with ``pread`` and maps nothing: a file cut short under a mapping would end the process.
"""

from __future__ import annotations

import os
import stat
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct("<512I")
_PAIR: Final = struct.Struct("<II")
_MASK: Final = 0xFFFFFFFF
_SHORT_OCTETS: Final = 32
_HASHED_AT_ONCE: Final = 4096  # more are no faster
_SLOTS_AT_ONCE: Final = 8  # half of the slots are empty, so a search seldom passes more than two
_RECORD_AT_ONCE: Final = 256  # octets; assign records are about 60
RECORD_OCTETS_MAX: Final = 1 << 16  # bounds what a hostile file makes us read


class TornDatabaseError(Exception):
    """The file is not a whole cdb."""


def cdb_hash(key: bytes) -> int:
    """Return cdb's hash of ``key``, a 32-bit number."""
    value = 5381
    # Of what most keys are, without a mask at each octet: the low 32 bits depend on nothing above them.
    for octet in key[:_SHORT_OCTETS]:
        value = value * 33 ^ octet
    value &= _MASK
    for octet in key[_SHORT_OCTETS:]:
        value = (value * 33 & _MASK) ^ octet
    return value


def cdb_hashes(keys: Sequence[bytes]) -> list[int]:
    """Return ``cdb_hash`` of each key, in a fifth of the time.

    Keys of one length are hashed side by side, each in its own 64 bits of one long number: what is done to the number
    is done to all of them. 37 bits of the 64 are used.
    """
    hashes = [0] * len(keys)
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[len(key)].append(place)
    for octets, same in places.items():
        for start in range(0, len(same), _HASHED_AT_ONCE):
            some = same[start : start + _HASHED_AT_ONCE]
            for place, value in zip(some, _hashed([keys[place] for place in some], octets), strict=True):
                hashes[place] = value
    return hashes


def _hashed(keys: Sequence[bytes], octets: int) -> tuple[int, ...]:
    count = len(keys)
    joined = b"".join(keys)
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    values, mask = ones * 5381, ones * _MASK
    column = bytearray(8 * count)
    for place in range(octets):
        column[::8] = joined[place::octets]
        values = (values + (values << 5) & mask) ^ int.from_bytes(column, "little")
    return struct.unpack(f"<{count}Q", values.to_bytes(8 * count, "little"))


class ConstantDatabase:
    """One open cdb, closed when nobody refers to it any more.

    Safe for threads: it uses no file position, and what it remembers is only ever added to.
    """

    _descriptor = -1

    def __init__(self, path: Path) -> None:
        """Open the file and check its frame.

        Raises:
            OSError: it cannot be opened.
            TornDatabaseError: it is no cdb, or a part of one.
        """
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.status: Final = os.fstat(self._descriptor)
            self._tables, self._records_end = self._frame()
        except BaseException:
            self.close()
            raise
        self._whole: set[int] = set()

    def close(self) -> None:
        """Close the file. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def get(self, key: bytes) -> bytes | None:
        """Return the data of the first record with this key, None if the whole table holds none.

        Raises:
            OSError: it cannot be read.
            TornDatabaseError: what was read on the way contradicts itself.
        """
        hashed = cdb_hash(key)
        number = hashed & 255
        position, slots = self._tables[number]
        first = (hashed >> 8) % slots if slots else 0
        for stored, record in self._slots(position, first, slots):
            if record == 0:
                break
            if stored == hashed:
                found, data = self._record(record)
                if found == key:
                    return data
                if cdb_hash(found) != hashed:
                    raise TornDatabaseError("a record is not the one its hash table names")
        self._check_table(number)
        return None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and data of every record in the order of insertion, duplicates included.

        Raises:
            OSError: it cannot be read.
            TornDatabaseError: the records do not fill their part of the file.
        """
        position = _HEADER.size
        while position < self._records_end:
            key, data = self._record(position)
            yield key, data
            position += _PAIR.size + len(key) + len(data)

    def _frame(self) -> tuple[list[tuple[int, int]], int]:
        # Writers put the tables last and nothing behind them, so a file that was cut or added to shows.
        if not stat.S_ISREG(self.status.st_mode):
            raise TornDatabaseError("not a regular file")
        size = self.status.st_size
        numbers = _HEADER.unpack(self._read(0, _HEADER.size))
        tables = [(numbers[index], numbers[index + 1]) for index in range(0, 512, 2)]
        used = sorted(table for table in tables if table[1])
        end = used[0][0] if used else size
        records_end = end
        for position, slots in used:
            if position != end or slots % 2:
                raise TornDatabaseError("its hash tables do not lie side by side")
            end = position + slots * _PAIR.size
        if end != size or records_end < _HEADER.size:
            raise TornDatabaseError("its hash tables do not end with the file")
        return tables, records_end

    def _slots(self, position: int, first: int, slots: int) -> Iterator[tuple[int, int]]:
        """Yield (hash, record position) of each slot once, beginning at ``first`` and wrapping."""
        for begin, end in ((first, slots), (0, first)):
            for index in range(begin, end, _SLOTS_AT_ONCE):
                count = min(_SLOTS_AT_ONCE, end - index)
                yield from _PAIR.iter_unpack(self._read(position + index * _PAIR.size, count * _PAIR.size))

    def _record(self, position: int) -> tuple[bytes, bytes]:
        available = self._records_end - position
        if position < _HEADER.size or available < _PAIR.size:
            raise TornDatabaseError("a record lies outside the records")
        start = self._read(position, min(_RECORD_AT_ONCE, available))
        key_octets, data_octets = _PAIR.unpack_from(start)
        octets = _PAIR.size + key_octets + data_octets
        if octets > available or octets > RECORD_OCTETS_MAX:
            raise TornDatabaseError("a record is longer than it can be")
        if octets > len(start):
            start = self._read(position, octets)
        middle = _PAIR.size + key_octets
        return start[_PAIR.size : middle], start[middle:octets]

    def _check_table(self, number: int) -> None:
        """Check, once, that exactly half of a table's slots are in use, as every writer leaves it."""
        if number in self._whole:
            return
        position, slots = self._tables[number]
        table = self._read(position, slots * _PAIR.size)
        if sum(1 for _, record in _PAIR.iter_unpack(table) if record) * 2 != slots:
            raise TornDatabaseError("a hash table is not whole")
        self._whole.add(number)

    def _read(self, position: int, octets: int) -> bytes:
        data = os.pread(self._descriptor, octets, position)
        if len(data) != octets:
            raise TornDatabaseError("it ends too early")
        return data
