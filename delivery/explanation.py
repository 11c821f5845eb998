"""What ``spool-deliver --explain`` tells of an address: who decides, and what would be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from delivery.destinations import Destination, Forward, MaildirFile, MboxFile, OwnMaildrop, Program
from delivery.environment import Recipient
from delivery.plans import Plan


def explain(recipient: Recipient, wildcard: str | None, plan: Plan) -> Iterator[str]:
    """Yield lines of text for a person.

    Args:
        recipient: the resolved address.
        wildcard: the prefix of the wildcard in ``assign`` that took the address, None for an exact assignment.
        plan: what the instructions say.
    """
    assigned = "an exact assignment" if wildcard is None else f"the wildcard +{wildcard}"
    yield f"{recipient.address}: by {assigned} to {recipient.user} (uid {recipient.uid}, gid {recipient.gid})"
    yield f"home: {recipient.home}"
    if recipient.dash:
        yield f"extension: {recipient.extension}"
    yield f"instructions: {plan.file or 'none, so the maildrop'}"
    if plan.default is not None:
        yield f"default stands for: {plan.default}"
    for instruction in plan.instructions:
        number = f"line {instruction.line}: " if instruction.line else ""
        yield f"{number}{_told(instruction.destination)}"
    if not plan.instructions:
        yield "nothing is done: the message is thrown away"
    if any(isinstance(instruction.destination, Forward) for instruction in plan.instructions):
        yield f"forwards are sent as: {plan.new_sender or '<>'}"


def _told(destination: Destination) -> str:
    match destination:
        case OwnMaildrop():
            return "into the maildrop"
        case MaildirFile(path):
            return f"into the Maildir {path}"
        case MboxFile(path):
            return f"into the mbox {path}"
        case Forward(address):
            return f"forward to {address}"
        case Program(command):
            return f"program {command}"
        case _:
            assert_never(destination)
