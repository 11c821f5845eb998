"""Carrying out a plan: one message to one recipient (qmail-local; dot-qmail(5)).

Lines are followed strictly one after another. The first that fails ends the delivery with its error; those before it
have been followed, and will be again when the message is tried again. Addresses are only collected, and the message is
handed over to all of them at the end, so an earlier failure forwards nothing. What can be known to fail is found out
before the first line is followed, so that a retry doubles as little as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from delivery import outcomes
from delivery.destinations import Forward, Instruction, MaildirFile, MboxFile, OwnMaildrop, Program
from delivery.environment import Recipient, environment
from delivery.errors import MailLoopError, ProgramDeferredError, ProgramRefusedError
from delivery.forwarding import Forwarder
from delivery.headers import AddedLines
from delivery.messages import Message
from delivery.plans import Plan
from delivery.programs import Ended
from delivery.settings import AddedField
from spool.mailbox import Envelope, Mailbox
from spool.mbox.headers import STORAGE_FIELDS, FieldFilter
from spool.quota.mailbox import QuotaMailbox

Run: TypeAlias = Callable[[str, Mapping[bytes, bytes], Iterable[bytes]], Ended]
"""Runs a shell command with an environment and a standard input; raises ProgramDeferredError if it cannot be run."""


@dataclass(frozen=True, slots=True)
class Means:
    """What deliveries to one recipient work with.

    Attributes:
        mailbox: opens the user's own mailbox, or one at a path that the user named.
        programs: takes the slot that the programs of one delivery run in, which is given back when they are done with
            or have failed; raises ProgramDeferredError where there is none now. None where users' programs are not run.
        forwarder: takes over what goes elsewhere.
    """

    mailbox: Callable[[OwnMaildrop | MaildirFile | MboxFile], Mailbox]
    programs: Callable[[], AbstractContextManager[Run]] | None
    forwarder: Forwarder


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery to be tried.

    Attributes:
        message: the message.
        recipient: to whom.
        sender: of the envelope, None for the null sender.
        plan: what the recipient's instructions say.
        lines: what a delivery can add.
        added_fields: what of that is put before what is stored.
    """

    message: Message
    recipient: Recipient
    sender: str | None
    plan: Plan
    lines: AddedLines
    added_fields: Sequence[AddedField]


@dataclass(frozen=True, slots=True)
class Report:
    """What was done: how many mailboxes and programs have it, and to which addresses it was forwarded."""

    mailboxes: int
    programs: int
    forwards: tuple[str, ...]


def deliver(attempt: Attempt, means: Means) -> Report:
    """Deliver a message as its plan says.

    Holds when it returns: every copy is on disk, was taken by a program, or is somebody else's.

    Raises:
        MailLoopError: it has been here before.
        ProgramDeferredError: a program is to be run, and none of this user may be now; or it did not take the message.
        SpoolError: it was not delivered, or not everywhere.
    """
    if attempt.message.has_looped(attempt.lines):
        raise MailLoopError(f"{attempt.recipient.address}: it has been delivered here before")
    check_possible(attempt.plan, means)
    # The slot before the first line: without it nothing is done, so that a retry doubles nothing.
    with nullcontext() if means.programs is None or not attempt.plan.runs_programs else means.programs() as run:
        return _follow(attempt, means, run)


def check_possible(plan: Plan, means: Means) -> None:
    """See whether everything in a plan can be tried.

    Raises:
        ProgramDeferredError: programs are not run.
        ForwardingDeferredError: nothing can be forwarded.
        SpoolError: the user's mailbox is not there, or full.
    """
    for instruction in plan.instructions:
        match instruction.destination:
            case Program() if means.programs is None:
                raise ProgramDeferredError(f"{plan.place(instruction)}: users' programs are not run on this site")
            case Forward():
                means.forwarder.check()
            case OwnMaildrop() as place:
                mailbox = means.mailbox(place)
                if isinstance(mailbox, QuotaMailbox):
                    mailbox.check_room()
            case _:
                pass  # a place that the user named is looked at when it is its turn


def _follow(attempt: Attempt, means: Means, run: Run | None) -> Report:
    mailboxes = programs = 0
    forwards: list[str] = []
    for instruction in attempt.plan.instructions:
        match instruction.destination:
            case Forward(address):
                forwards.append(address)
            case Program() as program:
                assert run is not None, "found out before"
                programs += 1
                if not _run(attempt, instruction, program, run):
                    break
            case OwnMaildrop() | MaildirFile() | MboxFile() as place:
                _store(attempt, means.mailbox(place))
                mailboxes += 1
            case _:
                assert_never(instruction.destination)
    if forwards:
        means.forwarder.forward(attempt.message, attempt.lines.delivered_to, attempt.plan.new_sender, forwards)
    return Report(mailboxes, programs, tuple(forwards))


def _store(attempt: Attempt, mailbox: Mailbox) -> None:
    message, lines = attempt.message, attempt.lines
    missing = message.missing_lines(lines, attempt.added_fields)
    stored = _without_storage_fields(message.with_lines(*missing))
    mailbox.deliver(stored, Envelope(sender=attempt.sender, recipient=attempt.recipient.address))


def _without_storage_fields(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Take out what only mail readers may write, so that no sender decides about unique-ids or what counts as read."""
    fields = FieldFilter(STORAGE_FIELDS)
    for piece in pieces:
        yield fields.feed(piece)
    yield fields.finish()


def _run(attempt: Attempt, instruction: Instruction, program: Program, run: Run) -> bool:
    """Run a program; False if what follows is not to be done."""
    plan, lines = attempt.plan, attempt.lines
    variables = environment(
        attempt.recipient, sender=attempt.sender, new_sender=plan.new_sender, default=plan.default, lines=lines
    )
    before = (lines.from_line, lines.return_path, lines.delivered_to) if program.preline else ()
    ended = run(program.command, variables, attempt.message.with_lines(*before))
    place = plan.place(instruction)
    match ended.status:
        case 0:
            return True
        case outcomes.EXIT_STOP:
            return False
        case None:
            raise ProgramDeferredError(f"{place}: the program's time was over")
        case status if status in outcomes.PROGRAM_REFUSES:
            raise ProgramRefusedError(f"{place}: exit status {status}", _printable(ended.output))
        case status:
            raise ProgramDeferredError(f"{place}: exit status {status}")


def _printable(output: bytes) -> str:
    text = output.decode("utf-8", "replace").strip()
    return "".join(character if character.isprintable() else " " for character in text)
