"""Changing the text of assignments for one user, leaving every other octet of it as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spool.assign import AssignLine, Assignment, AssignRecord, Wildcard, format_line, parse_assign
from spool.names import UserName


@dataclass(frozen=True, slots=True)
class AssignText:
    """The text of assignments and what it says: ``lines`` are the text's lines before the closing dot."""

    text: bytes
    lines: tuple[AssignLine, ...]

    @classmethod
    def parse(cls, text: bytes, *, file: Path) -> AssignText:
        """Parse a text.

        Raises:
            SettingsError: as ``parse_assign``.
        """
        return cls(text, parse_assign(text, file=file))

    def assigned(self, name: UserName) -> AssignRecord | None:
        """Return the record of the exact assignment of a name; of several the first counts."""
        for line in self.lines:
            match line:
                case Assignment(local, record) if local.lower() == name.text:
                    return record
        return None

    def users(self) -> set[str]:
        """Return the names that are users: those assigned to themselves."""
        return {line.local for line in self.lines if isinstance(line, Assignment) and line.local == line.record.user}

    def with_user(self, name: UserName, record: AssignRecord, *, break_character: str) -> AssignText:
        """Add a user after all others: their name, and all that begins with it and the break character.

        Raises:
            ValueError: the record cannot be written as text.
        """
        extended = AssignRecord(record.user, record.uid, record.gid, record.home, dash="-")
        added = (Assignment(name.text, record), Wildcard(name.text + break_character, extended))
        raw = self.text.split(b"\n")
        front, rest = raw[: len(self.lines)], raw[len(self.lines) :]
        text = b"\n".join([*front, *(format_line(line).rstrip(b"\n") for line in added), *rest])
        return AssignText(text, self.lines + added)

    def without_user(self, name: UserName) -> AssignText:
        """Take out every assignment to a user: their own, and the aliases and wildcards that lead to them."""
        raw = self.text.split(b"\n")
        kept = [(octets, line) for octets, line in zip(raw, self.lines, strict=False) if line.record.user != name.text]
        text = b"\n".join([*(octets for octets, _ in kept), *raw[len(self.lines) :]])
        return AssignText(text, tuple(line for _, line in kept))


@dataclass(frozen=True, slots=True)
class TakenExtension:
    """An address ``owner-extension`` that is the user ``taker``'s, so that ``owner`` never gets its mail."""

    owner: UserName
    extension: str
    taker: UserName


def taken_extensions(new: UserName, users: Iterable[str], *, break_character: str) -> Sequence[TakenExtension]:
    """Say which extension a new user takes, and from whom, and which the new user cannot have.

    ``yasuhi-a`` takes ``a``, and all that begins with ``a-``, from ``yasuhi``. Each extension is missed by one user
    only, the one with the longest name, who would get its mail otherwise.
    """
    names = {new.text, *users}
    return [
        TakenExtension(UserName(owner), taker[len(owner) + 1 :], UserName(taker))
        for taker in sorted(name for name in names if name.startswith(new.text))
        for owner in _owners(taker, names, break_character)
        if new.text in {owner, taker}
    ]


def _owners(taker: str, names: set[str], break_character: str) -> Iterator[str]:
    """Yield the user who would own ``taker`` as an extension, if there is one."""
    end = taker.rfind(break_character)
    while end > 0:
        if taker[:end] in names:
            yield taker[:end]
            return
        end = taker.rfind(break_character, 0, end)
