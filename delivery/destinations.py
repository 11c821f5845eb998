"""Where a message goes: types that cannot be taken for one another.

An address that came from outside stays one to the end: only a user's own instruction file makes a ``MaildirFile``, an
``MboxFile`` or a ``Program``, and nothing turns one type into another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class OwnMaildrop:
    """The user's own mailbox, wherever that is."""


@dataclass(frozen=True, slots=True)
class MaildirFile:
    """A Maildir named by a path, absolute or from the home on; the slash at its end is taken off."""

    path: str


@dataclass(frozen=True, slots=True)
class MboxFile:
    """An mbox named by a path, absolute or from the home on."""

    path: str


@dataclass(frozen=True, slots=True)
class Forward:
    """Another address, complete with its domain."""

    address: str


@dataclass(frozen=True, slots=True)
class Program:
    """A command for ``/bin/sh -c``; with ``preline`` it gets the lines before the message that a delivery adds."""

    command: str
    preline: bool = False


Destination: TypeAlias = OwnMaildrop | MaildirFile | MboxFile | Forward | Program


@dataclass(frozen=True, slots=True)
class Instruction:
    """One destination, and the number of the line that names it (from 1; 0 if no file does)."""

    line: int
    destination: Destination
