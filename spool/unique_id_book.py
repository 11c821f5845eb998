"""The exceptions from "a message's key is its unique-id", and how the ``.uids`` file tells them.

An id is an exception when

- it was taken over from another server (``import_ids``);
- several messages of an mbox are equal: then all of their ids are, in the order of the copies (``KEY``, ``KEY-2``, …);
- the message's key is another message's id already;
- it is *retired*: its message was removed by us, and an equal one that comes later must not get it.

**Forgetting.** A message that another program removed keeps its id, since it may come back (a mail reader that rewrites
the mbox, a restored backup). Of retired ids, and of such absent ones, the newest ``RETIRED_MAX`` are kept for certain.
Beyond that a message octet-equal to one removed long ago could get its id again, which tells a client nothing wrong.

**Form.** The line ``mailspool-unique-ids 1``, then lines that each change what those before said: ``+ID`` or
``+ID KEY`` (ID is the id of the next copy of KEY; without KEY both are equal), ``~ID`` (its message is about to be
removed), ``-ID`` (retired). A last line without LF was torn by a crash, and so was all that comes from a NUL on: the
file became longer and the octets were lost. Nobody has seen what it says, because it was not synced, and the next
change cuts it off. Anything else that does not fit is somebody else's doing, and an error rather than a guess: a guess
could give every message a new id and make clients fetch all mail again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count as count_from
from typing import Final

UNIQUE_ID_OCTETS_MAX: Final = 70  # RFC 1939 section 7, UIDL
UNIQUE_ID_CHARACTERS: Final = bytes(range(0x21, 0x7F))
RETIRED_MAX: Final = 1000

_UNIQUE_ID: Final = re.compile(r"[!-~]{1,70}")
_HEADER: Final = b"mailspool-unique-ids 1\n"
_LINE: Final = re.compile(r"^([+~-])([!-~]{1,70})(?: ([!-~]{1,70}))?$", re.MULTILINE)


def is_unique_id(text: str) -> bool:
    """Whether UIDL may show ``text`` (RFC 1939 section 7)."""
    return _UNIQUE_ID.fullmatch(text) is not None


class UniqueIdBook:
    """The exceptions of one mailbox, in memory, and what has changed in them since they were read.

    Attributes:
        whole_octets: length of that part of the file that was read and stays; changes belong behind it.

    Raises:
        ValueError: the file holds what we did not write; the message names the line.
    """

    def __init__(self, data: bytes) -> None:
        self._copies: dict[str, list[str]] = {}  # by key; the ids in the order of the copies
        self._keys: dict[str, str] = {}  # the same by id
        self._leaving: set[str] = set()
        self._retired: dict[str, None] = {}  # the newest last
        self._changes: list[str] = []
        data = data.partition(b"\0")[0]
        self.whole_octets = data.rfind(b"\n") + 1
        if not data.startswith(_HEADER):
            if not _HEADER.startswith(data):
                raise ValueError("line 1: not a file of unique-ids")
            return
        for sign, unique_id, key in _parse(data[len(_HEADER) : self.whole_octets]):
            self._apply(sign, unique_id, key or unique_id)

    def changes(self) -> bytes:
        """Return what must be written behind ``whole_octets``, nothing if nothing changed."""
        header = b"" if self.whole_octets or not self._changes else _HEADER
        return header + "".join(self._changes).encode("ascii")

    def assign(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the ids of all messages of the mailbox, all different, given their keys in the mailbox's order."""
        present = Counter(keys)
        exceptions = {
            key: iter(self._ids_of(key, copies, present))
            for key, copies in present.items()
            if copies > 1 or key in self._copies or self._is_taken(key)
        }
        return [next(exceptions[key]) if key in exceptions else key for key in keys]

    def announce_removal(self, unique_ids: Iterable[str]) -> None:
        """Mark those of the ids whose messages have equal copies."""
        for unique_id in unique_ids:
            if len(self._copies.get(self._keys.get(unique_id, ""), ())) > 1:
                self._change("~", unique_id)

    def retire(self, unique_ids: Iterable[str]) -> None:
        """Note that the messages with these ids were removed."""
        for unique_id in unique_ids:
            self._change("-", unique_id)

    def import_ids(self, ids_by_key: Mapping[str, Sequence[str]]) -> None:
        """Put these ids in the place of what the keys had; see ``spool.unique_ids``."""
        imported = [unique_id for ids in ids_by_key.values() for unique_id in ids]
        if len(set(imported)) < len(imported) or not all(map(is_unique_id, (*imported, *ids_by_key))):
            raise ValueError("each message needs a unique-id of its own, of 1 to 70 printable octets")
        for key, ids in ids_by_key.items():
            self.retire(tuple(self._copies.get(key, ())))
            for unique_id in ids:
                self._change("+", unique_id, key)

    def add_ids(self, arriving: Sequence[tuple[str, str]], keys: Sequence[str]) -> None:
        """Give messages that are about to arrive an id each, behind those of equal ones; see ``spool.unique_ids``."""
        present = Counter(keys)
        free = [(key, unique_id) for key, unique_id in arriving if self._is_free(unique_id, key, present)]
        for key in {key for key, _ in free}:
            if present[key]:
                self._ids_of(key, present[key], present)
            else:
                self.retire(tuple(self._copies.get(key, ())))
        given: set[str] = set()
        for key, unique_id in free:
            if unique_id not in given:
                given.add(unique_id)
                self._change("+", unique_id, key)

    def retired(self) -> Sequence[str]:
        """Return the ids that no message may have any more, the newest last."""
        return tuple(self._retired)

    def is_crowded(self, keys: Sequence[str]) -> bool:
        """Whether so many ids are kept for messages not in the mailbox that the file should be written anew."""
        return max(len(self._retired), len(self._absent(set(keys)))) > 2 * RETIRED_MAX

    def compacted(self, keys: Sequence[str]) -> bytes:
        """Return a whole file that says the same, but for the oldest of what belongs to no message in the mailbox."""
        dropped = set(self._absent(set(keys))[:-RETIRED_MAX])
        lines = [f"-{unique_id}\n" for unique_id in list(self._retired)[-RETIRED_MAX:]]
        for key, ids in self._copies.items():
            lines += [_line("+", unique_id, key) for unique_id in ids if unique_id not in dropped]
        lines += [f"~{unique_id}\n" for unique_id in self._leaving - dropped]
        return _HEADER + "".join(lines).encode("ascii")

    def _ids_of(self, key: str, copies: int, present: Collection[str]) -> Sequence[str]:
        known = self._copies.get(key, [])
        leaving = [unique_id for unique_id in known if unique_id in self._leaving]
        if copies <= len(known) - len(leaving):
            self.retire(leaving)  # they went, though a crash kept us from noting it
        else:
            for unique_id in leaving:
                self._change("+", unique_id, key)  # they did not go
        if copies > len(known):
            self._add_copies(key, copies - len(known), present)
        return self._copies[key]

    def _add_copies(self, key: str, wanted: int, present: Collection[str]) -> None:
        if not self._is_taken(key):
            self._change("+", key, key)
            wanted -= 1
        ordinals = count_from(2)
        while wanted:
            suffix = f"-{next(ordinals)}"
            unique_id = key[: UNIQUE_ID_OCTETS_MAX - len(suffix)] + suffix
            if not self._is_taken(unique_id) and unique_id not in present:
                self._change("+", unique_id, key)
                wanted -= 1

    def _is_free(self, unique_id: str, key: str, present: Collection[str]) -> bool:
        if not is_unique_id(unique_id) or unique_id in self._retired:
            return False
        return self._keys.get(unique_id, key) == key and (unique_id == key or unique_id not in present)

    def _is_taken(self, unique_id: str) -> bool:
        return unique_id in self._keys or unique_id in self._retired

    def _absent(self, present: Collection[str]) -> list[str]:
        return [unique_id for key, ids in self._copies.items() if key not in present for unique_id in ids]

    def _change(self, sign: str, unique_id: str, key: str | None = None) -> None:
        self._changes.append(_line(sign, unique_id, key or unique_id))
        self._apply(sign, unique_id, key or unique_id)

    def _apply(self, sign: str, unique_id: str, key: str) -> None:
        if sign == "~":
            self._leaving.add(unique_id)
            return
        self._leaving.discard(unique_id)
        self._retired.pop(unique_id, None)
        if sign == "-":
            self._drop(unique_id)
            self._retired[unique_id] = None
        elif self._keys.get(unique_id) != key:
            self._drop(unique_id)
            self._keys[unique_id] = key
            self._copies.setdefault(key, []).append(unique_id)

    def _drop(self, unique_id: str) -> None:
        if (key := self._keys.pop(unique_id, None)) is not None:
            self._copies[key].remove(unique_id)
            if not self._copies[key]:
                del self._copies[key]


def _line(sign: str, unique_id: str, key: str) -> str:
    return f"{sign}{unique_id}\n" if unique_id == key else f"{sign}{unique_id} {key}\n"


def _parse(lines: bytes) -> list[tuple[str, str, str]]:
    # latin-1 cannot fail, and what is not ASCII does not fit the pattern.
    text = lines.decode("latin-1")
    found: list[tuple[str, str, str]] = _LINE.findall(text)
    if len(found) != text.count("\n"):
        number = next(number for number, line in enumerate(text.split("\n"), 2) if not _LINE.fullmatch(line))
        raise ValueError(f"line {number}: not a line of a file of unique-ids")
    return found
