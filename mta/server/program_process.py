"""The life of a program process: it has become ``[delivery] program_user``, and runs users' programs for deliveries.

For sites whose users share a uid: that uid reads everybody's mail, so no user's program may run as it. Whose programs
are to be run, and how long each may take, comes from the spawner over the control channel; the programs come from
whoever delivers (``mta.server.program_dialogue``), and could be any: that they run as this account, which can read no
mail, is what protects the others. The process holds a slot of the spawner's for as long as the delivery keeps it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Final

from delivery.outcomes import is_temporary
from delivery.program_keeper import ProgramLimits
from delivery.programs import SHELL, run_program
from mta.server.program_dialogue import TAKEN, answer_of, parse_program_request, refusal, trouble
from serving.channel import Channel, ChannelError, Frame
from serving.orders import serve_orders
from serving.program_admission import NoSlotError
from serving.program_slots import ask_for_slot, give_back

SILENCE_SECONDS: Final = 60.0
"""A delivery that wants nothing run for so much longer than a program may take has lost its slot."""


def run_program_process(limits: ProgramLimits, control: Channel) -> int:
    """Serve until the control channel closes.

    Args:
        limits: what a program may use; how long it may take says each order.
        control: leads to the spawner.
    """

    def serve(order: Frame, end: socket.socket) -> None:
        seconds = float(order.message["seconds"])
        end.settimeout(seconds + SILENCE_SECONDS)
        with Channel(end) as delivery:
            _serve_in_slot(delivery, control, replace(limits, seconds=seconds))

    return serve_orders(control, serve)


def serve_programs(delivery: Channel, limits: ProgramLimits) -> bool:
    """Run what a delivery wants run, until it closes; whether all took the message, or refused it for good.

    Raises:
        ChannelError: it talks nonsense, or nothing for long.
    """
    delivery.send(TAKEN)
    succeeded = True
    while (asked := delivery.receive()) is not None:
        if asked.descriptor is None:
            raise ChannelError("a program without a message")
        answer = _run(asked, asked.descriptor, limits)
        succeeded = succeeded and not is_temporary(answer.message.get("status"))
        delivery.send(answer)
    return succeeded


def _serve_in_slot(delivery: Channel, control: Channel, limits: ProgramLimits) -> None:
    try:
        ask_for_slot(control)
    except (NoSlotError, ChannelError) as error:
        with suppress(ChannelError):
            delivery.send(refusal(str(error)))
        return
    succeeded = False
    with suppress(ChannelError):
        succeeded = serve_programs(delivery, limits)
    with suppress(ChannelError):
        give_back(control, failed=not succeeded)


def _run(asked: Frame, message: int, limits: ProgramLimits) -> Frame:
    command, environment = parse_program_request(asked)
    try:
        directory = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            ended = run_program(
                (SHELL, b"-c", command), environment=environment, directory=directory, message=message, limits=limits
            )
        finally:
            os.close(directory)
    except OSError as error:
        return trouble(str(error.strerror))
    finally:
        os.close(message)
    return answer_of(ended)
