"""The journal of a rehash: what was moved from where to where, and what is still to be tidied up.

A file of JSON objects, a line each with its digest in front, only ever appended to. A last line that a crash tore
counts for nothing, and is cut off by whoever appends next. The first line names the layout; then, for each batch, a
line before anything of it is done, which holds all its moves, and one when it is published; then what became of the
links and homes at the old places. Everything ``Journal`` knows follows from reading the lines in their order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spool import durable
from spool.errors import MailboxUnavailableError
from spool.names import UserName
from spool.rehash.moves import Move

_FORM: Final = "mailspool-rehash-1"
NAME: Final = "rehash"
_DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Moves that are published together. ``number`` counts from 1."""

    number: int
    moves: Sequence[Move]


@dataclass(frozen=True, slots=True)
class Link:
    """A link at an old place, to be removed. ``since`` is when its batch was published, in seconds since 1970."""

    leads_to: Path
    since: float


@dataclass(frozen=True, slots=True)
class KeptHome:
    """An old home of which a copy is in use; ``since`` as with links."""

    move: Move
    since: float


class Journal:
    """One rehash's journal, open for appending.

    Attributes:
        to: the layout that users are moved to.
        layout_before: the layout setting before the rehash changed it; None if it did not.
        batches: how many were published.
        open: the batch that was begun and not published; None if there is none.
        moved: who was moved, and not moved back: where from, where to, and the identity of the home.
        links: what is to be removed, by its path.
        kept: old homes that were copied and are still there, by user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.to = ""
        self.layout_before: str | None = None
        self.batches = 0
        self.open: Batch | None = None
        self.moved: dict[UserName, tuple[Move, tuple[int, int]]] = {}
        self.links: dict[Path, Link] = {}
        self.kept: dict[UserName, KeptHome] = {}
        self._octets = 0
        self._numbers = 0

    # -- files --------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, directory: Path) -> Journal | None:
        """Read the journal in the maintenance directory; None if there is none.

        Raises:
            MailboxUnavailableError: it cannot be read, or is none of ours.
        """
        journal = cls(directory / NAME)
        with durable.storage_errors(journal._path):
            try:
                data = journal._path.read_bytes()
            except FileNotFoundError:
                return None
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            text = line[_DIGEST_CHARACTERS + 1 :]
            if line != _signed(text):
                if number < len(lines):
                    raise MailboxUnavailableError(f"{journal._path}: line {number} is none of ours")
                break
            try:
                journal._apply(json.loads(text))
            except (KeyError, TypeError, ValueError) as error:
                raise MailboxUnavailableError(f"{journal._path}: line {number} is none of ours: {error!r}") from error
            journal._octets += len(line)
        return journal

    @classmethod
    def begin(cls, directory: Path, to: str) -> Journal:
        """Begin a new journal in the place of one that is there.

        Holds when it returns; a crash before that leaves the old one.

        Raises:
            SpoolError: it cannot be written.
        """
        journal = cls(directory / NAME)
        entry = {"form": _FORM, "to": to}
        line = _line(entry)
        with durable.storage_errors(journal._path):
            durable.replace_file(journal._path, [line])
        journal._apply(entry)
        journal._octets = len(line)
        return journal

    def _append(self, entry: Mapping[str, Any]) -> None:
        """Append a line, and do what it says."""
        self._write(entry)
        self._apply(entry)

    def _write(self, entry: Mapping[str, Any]) -> None:
        """Append a line. Holds when it returns; a crash before that leaves it out, or torn, which is as good."""
        line = _line(entry)
        with durable.storage_errors(self._path):
            descriptor = durable.open_for_append(self._path)
            try:
                durable.truncate(descriptor, self._octets)
                durable.write_all(descriptor, line)
                durable.sync_file(descriptor)
            finally:
                os.close(descriptor)
        self._octets += len(line)

    # -- what happens -------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done: no batch, no link, no old home."""
        return self.open is None and not self.links and not self.kept

    def change_layout(self, before: str | None) -> None:
        """Say that the layout setting is about to be changed, and what it was; None when it was changed back."""
        self._append({"layout_before": before})

    def begin_batch(self, moves: Sequence[Move]) -> Batch:
        """Say that these are about to be moved."""
        self._write({"batch": self._numbers + 1, "moves": [_packed(move) for move in moves]})
        self._numbers += 1
        self.open = Batch(self._numbers, moves)
        return self.open

    def end_batch(self, moved: Mapping[UserName, tuple[int, int]], copied: Collection[UserName], now: float) -> None:
        """Say that the open batch is published.

        Args:
            moved: those of it that were moved, with device and inode of the home at its new place.
            copied: those of them whose old homes are kept.
            now: seconds since 1970.
        """
        assert self.open is not None
        identities = {user.text: identity for user, identity in moved.items()}
        names = sorted(user.text for user in copied)
        self._append({"done": self.open.number, "moved": identities, "copied": names, "at": now})

    def remove_links(self, places: Collection[Path]) -> None:
        """Say that these links are gone."""
        if places:
            self._append({"unlinked": [str(place) for place in places]})

    def forget_kept(self, user: UserName) -> None:
        """Say that a kept home is gone."""
        self._append({"removed": user.text})

    def _apply(self, entry: Any) -> None:
        match entry:
            case {"form": form, "to": str(to)} if form == _FORM:
                self.to = to
            case {"layout_before": before}:
                self.layout_before = before
            case {"batch": int(number), "moves": moves}:
                self._numbers = number
                self.open = Batch(number, [_unpacked(move) for move in moves])
            case {"done": _, "moved": moved, "copied": copied, "at": at} if self.open is not None:
                self._apply_done(self.open, moved, frozenset(copied), float(at))
            case {"unlinked": places}:
                for place in places:
                    self.links.pop(Path(place), None)
            case {"removed": user}:
                self.kept.pop(UserName(user), None)
            case _:
                raise ValueError(f"line {str(entry)[:80]}")

    def _apply_done(self, batch: Batch, moved: Mapping[str, Any], copied: frozenset[str], at: float) -> None:
        self.open = None
        self.batches += 1
        for move in batch.moves:
            identity = moved.get(move.user.text)
            if identity is None:
                continue
            before = self.moved.pop(move.user, None)
            if before is None or before[0].old != move.new:
                first = move if before is None else Move(move.user, move.uid, move.gid, before[0].old, move.new)
                self.moved[move.user] = (first, (int(identity[0]), int(identity[1])))
            # What is a home again is no link; what is left now is.
            self.links.pop(move.new, None)
            self.links[move.old] = Link(move.new, at)
            if move.user.text in copied:
                self.kept[move.user] = KeptHome(move, at)


def _line(entry: Mapping[str, Any]) -> bytes:
    return _signed(json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n")


def _signed(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_DIGEST_CHARACTERS].encode("ascii") + b" " + text


def _packed(move: Move) -> Sequence[Any]:
    return (move.user.text, move.uid, move.gid, str(move.old), str(move.new))


def _unpacked(packed: Sequence[Any]) -> Move:
    user, uid, gid, old, new = packed
    return Move(UserName(user), int(uid), int(gid), Path(old), Path(new))
