"""Settings of the delivery agent: the ``[delivery]`` table of ``mailspool.toml``."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from delivery.dot_qmail import parse_dot_qmail
from delivery.errors import InstructionsError

AddedField = Literal["Return-Path", "Delivered-To"]
UnclaimedExtensions = Literal["refuse", "maildrop"]
SmarthostTls = Literal["none", "starttls", "implicit"]

_HOST_AND_PORT: Final = re.compile(r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How mail finds its way from an address into mailboxes, programs and other addresses.

    ``dot_qmail``: whether ``.qmail`` files are followed. ``dot_forward``: where a user's file in sendmail's form may
    be, with ``{home}``, ``{user}`` and ``{domain}``; the first that exists decides, after ``.qmail``.
    ``unclaimed_extensions``: what becomes of mail for ``user-extension`` without a file for it. ``default_delivery``
    holds instructions as in a ``.qmail`` file, for users without a file and with an empty one (qmail calls them
    aliasempty); empty, their mail goes to the maildrop.

    ``added_fields`` are put before what is stored, where the mail transport has not added them; without Delivered-To
    nobody notices a loop. ``sendmail`` takes what is forwarded: a command to which ``-i -f SENDER -- RECIPIENT…`` is
    added. Or ``smarthost`` does, an SMTP server as ``HOST:PORT``, with TLS as ``smarthost_tls`` says, a certificate by
    one of the authorities in ``smarthost_ca_file`` (default: the system's), and a user's name and password from the two
    lines of ``smarthost_credentials``; each message has ``smarthost_seconds`` in all. With neither, mail with forwards
    waits. ``programs`` false makes mail with program lines wait. A program has
    ``program_seconds``, then its process group gets TERM, and KILL five seconds later; and it may have
    ``program_memory_octets`` of address space. ``program_user`` is the account as which the programs of users run who
    share a uid; None makes their mail with program lines wait.

    In the service ``program_slots`` deliveries with programs are under way at once, ``programs_per_user`` of one user.
    What takes more than ``program_slow_seconds`` counts as slow; after a failure no program of its user is run for
    ``program_penalty_first_seconds``, twice as long after each further one, ``program_penalty_seconds_max`` at most.

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    dot_qmail: bool = True
    dot_forward: tuple[str, ...] = ("{home}/.forward",)
    unclaimed_extensions: UnclaimedExtensions = "refuse"
    default_delivery: str = ""
    added_fields: tuple[AddedField, ...] = ("Return-Path", "Delivered-To")
    sendmail: tuple[str, ...] = ()
    smarthost: str = ""
    smarthost_tls: SmarthostTls = "starttls"
    smarthost_ca_file: Path | None = None
    smarthost_credentials: Path | None = None
    smarthost_seconds: float = 25.0
    programs: bool = True
    program_seconds: float = 300.0
    program_memory_octets: int = 1 << 30
    program_processes: int = 100
    program_files: int = 256
    program_user: str | None = None
    program_slots: int = 10
    programs_per_user: int = 1
    program_slow_seconds: float = 30.0
    program_penalty_first_seconds: float = 30.0
    program_penalty_seconds_max: float = 3600.0

    def __post_init__(self) -> None:
        for template in self.dot_forward:
            fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
            if not fields <= {"home", "user", "domain"} or not template.startswith(("{home}/", "/")):
                raise ValueError(
                    f"dot_forward: expected a path with {{home}}, {{user}} or {{domain}}, found {template!r}"
                )
        if self.default_delivery:
            _check_instructions(self.default_delivery)
        if self.sendmail and not self.sendmail[0].startswith("/"):
            raise ValueError(f"sendmail: expected an absolute path, found {self.sendmail[0]!r}")
        if self.smarthost:
            host_and_port(self.smarthost)
            if self.sendmail:
                raise ValueError("smarthost: expected none beside sendmail, found both")
        if self.smarthost_credentials is not None and self.smarthost_tls == "none":
            raise ValueError('smarthost_credentials: expected none where smarthost_tls is "none", found a file')
        for key in (
            "smarthost_seconds",
            "program_seconds",
            "program_memory_octets",
            "program_processes",
            "program_files",
            "program_slots",
            "programs_per_user",
            "program_slow_seconds",
            "program_penalty_first_seconds",
        ):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key}: expected more than 0, found {getattr(self, key)}")
        if self.program_penalty_seconds_max < self.program_penalty_first_seconds:
            raise ValueError(
                f"program_penalty_seconds_max: expected at least program_penalty_first_seconds, "
                f"found {self.program_penalty_seconds_max}"
            )


def _check_instructions(text: str) -> None:
    try:
        instructions = parse_dot_qmail(text.encode())
    except InstructionsError as error:
        raise ValueError(f"default_delivery: {error}") from error
    if not instructions:
        raise ValueError("default_delivery: expected an instruction, found comments only: they throw mail away")


def host_and_port(text: str) -> tuple[str, int]:
    """Take the text of ``smarthost`` apart: a name, an IPv4 address or an IPv6 address in brackets; and a port.

    Raises:
        ValueError: it is not of that form.
    """
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError(f"smarthost: expected HOST:PORT, found {text!r}")
    return found[1].strip("[]"), int(found[2])
