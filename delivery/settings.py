"""Settings of the delivery agent: the ``[delivery]`` table of ``mailspool.toml``."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Literal

AddedField = Literal["Return-Path", "Delivered-To"]
UnclaimedExtensions = Literal["refuse", "maildrop"]


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How mail finds its way from an address into mailboxes, programs and other addresses.

    ``dot_qmail``: whether ``.qmail`` files are followed. ``dot_forward``: where a user's file in sendmail's form may
    be, with ``{home}``, ``{user}`` and ``{domain}``; the first that exists decides, after ``.qmail``.
    ``unclaimed_extensions``: what becomes of mail for ``user-extension`` without a file for it.

    ``added_fields`` are put before what is stored, where the mail transport has not added them; without Delivered-To
    nobody notices a loop. ``sendmail`` takes what is forwarded: a command to which ``-i -f SENDER -- RECIPIENT…`` is
    added; empty, mail with forwards waits. ``programs`` false makes mail with program lines wait. A program has
    ``program_seconds``, then its process group gets TERM, and KILL five seconds later; and it may have
    ``program_memory_octets`` of address space.

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    dot_qmail: bool = True
    dot_forward: tuple[str, ...] = ("{home}/.forward",)
    unclaimed_extensions: UnclaimedExtensions = "refuse"
    added_fields: tuple[AddedField, ...] = ("Return-Path", "Delivered-To")
    sendmail: tuple[str, ...] = ()
    programs: bool = True
    program_seconds: float = 300.0
    program_memory_octets: int = 1 << 30
    program_processes: int = 100
    program_files: int = 256

    def __post_init__(self) -> None:
        for template in self.dot_forward:
            fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
            if not fields <= {"home", "user", "domain"} or not template.startswith(("{home}/", "/")):
                raise ValueError(
                    f"dot_forward: expected a path with {{home}}, {{user}} or {{domain}}, found {template!r}"
                )
        if self.sendmail and not self.sendmail[0].startswith("/"):
            raise ValueError(f"sendmail: expected an absolute path, found {self.sendmail[0]!r}")
        for key in ("program_seconds", "program_memory_octets", "program_processes", "program_files"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key)}")
