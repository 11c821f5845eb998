"""A delivery's side of a program process: blocks, in a thread or in a process that does nothing else meanwhile."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from delivery.engine import Run
from delivery.errors import ProgramDeferredError
from delivery.messages import standard_input
from delivery.programs import LATE_SECONDS, Ended
from mta.server.program_dialogue import parse_answer, program_request
from serving.channel import Channel, ChannelError, Frame


@contextlib.contextmanager
def programs_over(end: socket.socket, seconds: float, variables: Mapping[bytes, bytes]) -> Iterator[Run]:
    """Hold the slot of one delivery; gives what runs its programs.

    Args:
        end: a socket to a program process, which is closed in the end, and gives the slot back by that.
        seconds: a program may take so long.
        variables: of the environment, in addition to those of the recipient.

    Raises:
        ProgramDeferredError: there is no slot now.
    """
    end.settimeout(seconds + 2 * LATE_SECONDS)  # the process gives up its keeper before we give it up
    with Channel(end) as process:
        begun = _received(process)
        if begun.message.get("taken") is not True:
            raise ProgramDeferredError(f"no program may start now: {begun.message.get('refused')}")
        yield partial(_run, process, variables)


def _run(
    process: Channel,
    variables: Mapping[bytes, bytes],
    command: str,
    environment: Mapping[bytes, bytes],
    message: Iterable[bytes],
) -> Ended:
    octets = command.encode("utf-8", "surrogateescape")
    try:
        stdin = standard_input(message)
        try:
            process.send(program_request(octets, {**environment, **variables}, stdin))
        finally:
            os.close(stdin)
        answer = parse_answer(_received(process))
    except (OSError, ValueError, ChannelError) as error:
        raise ProgramDeferredError(f"{command[:80]}: {error}") from error
    if isinstance(answer, str):
        raise ProgramDeferredError(f"{command[:80]}: {answer}")
    return answer


def _received(process: Channel) -> Frame:
    try:
        frame = process.receive()
    except ChannelError as error:
        raise ProgramDeferredError(f"a program process: {error}") from error
    if frame is None:
        raise ProgramDeferredError("a program process has ended")
    frame.discard()
    return frame
