"""What a delivery and a program process say to each other.

The process begins: ``{"taken": true}``, or ``{"refused": why}`` where there is no slot. Then the delivery sends the
programs to be run, one after another: a frame whose body is ``command NUL name=value NUL …`` and whose descriptor is
the program's standard input. The answer is ``{"status": number}`` with what was printed as its body, with ``null`` for
a program whose time was over, or ``{"trouble": why}`` for one that could not be started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from delivery.programs import Ended
from serving.channel import ChannelError, Frame

TAKEN: Final = Frame({"taken": True})


def refusal(why: str) -> Frame:
    """There is no slot."""
    return Frame({"refused": why})


def trouble(why: str) -> Frame:
    """A program could not be started."""
    return Frame({"trouble": why})


def program_request(command: bytes, environment: Mapping[bytes, bytes], message: int) -> Frame:
    """A program to be run.

    Raises:
        ValueError: no program could be given these octets.
    """
    fields = [command, *(name + b"=" + value for name, value in environment.items())]
    if any(b"\0" in each for each in fields):
        raise ValueError("a NUL in a command or its environment")
    return Frame(body=b"\0".join(fields), descriptor=message)


def parse_program_request(asked: Frame) -> tuple[bytes, Mapping[bytes, bytes]]:
    """The command and the environment of a request."""
    command, *variables = asked.body.split(b"\0")
    return command, {name: value for name, _, value in (each.partition(b"=") for each in variables)}


def answer_of(ended: Ended) -> Frame:
    """How a program ended."""
    return Frame({"status": ended.status}, ended.output)


def parse_answer(answer: Frame) -> Ended | str:
    """How a program ended, or why it was not run.

    Raises:
        ChannelError: it is no answer.
    """
    match answer.message:
        case {"status": int() | None as status}:
            return Ended(status, answer.body)
        case {"trouble": str(why)}:
            return why
        case _:
            raise ChannelError("not an answer about a program")
