"""Programs of users who share a uid, for ``spool-deliver`` where no service does it.

It is root at first, becomes the recipient for good, and could not become another account then. So before that it forks
a process that does, runs what the delivery wants run, and is killed when the delivery ends. There are no slots: how
many messages are delivered at once is for the mail transport to say that starts ``spool-deliver``.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import NoReturn

from delivery.engine import Run
from delivery.errors import ProgramDeferredError
from delivery.program_keeper import ProgramLimits
from delivery.resolver import Account
from mta.server.program_client import programs_over
from mta.server.program_process import serve_programs
from serving.channel import Channel, ChannelError, Frame, socket_pair
from serving.children import EXIT_SOFTWARE, leave_parent
from serving.privileges import Identity, become, end_with_parent


class LonePrograms:
    """Runs the programs of one delivery.

    Args:
        identity: as whom.
        limits: what a program may use; how long it may take, says the account.
        variables: of programs' environment, in addition to those of the recipient.
    """

    def __init__(self, identity: Identity, limits: ProgramLimits, variables: Mapping[bytes, bytes]) -> None:
        self._identity = identity
        self._limits = limits
        self._variables = variables
        self._end: socket.socket | None = None

    def start(self) -> None:
        """Fork the process that runs them; to be called as root.

        Raises:
            OSError: there is no process or descriptor to be had now.
        """
        delivery = os.getpid()
        self._end, theirs = socket_pair()
        with theirs:
            if os.fork() == 0:
                _live(self._identity, self._limits, theirs, delivery)

    @contextmanager
    def taken(self, account: Account) -> Iterator[Run]:
        """``programs_elsewhere`` of the delivery agent (``delivery.agent``)."""
        end, self._end = self._end, None
        if end is None:
            raise ProgramDeferredError(f"{account.recipient.address}: only root can run programs as another account")
        with suppress(ChannelError):  # its end is noticed when it should answer
            Channel(end).send(Frame({"seconds": account.programs.seconds}))
        with programs_over(end, account.programs.seconds, self._variables) as run:
            yield run


def _live(identity: Identity, limits: ProgramLimits, end: socket.socket, delivery: int) -> NoReturn:
    status = EXIT_SOFTWARE
    try:
        leave_parent({end.fileno()})
        os.umask(0o077)
        os.chdir("/")
        become(identity)
        end_with_parent(delivery)
        channel = Channel(end)
        with suppress(ChannelError):
            if (order := channel.receive()) is not None:
                serve_programs(channel, replace(limits, seconds=float(order.message["seconds"])))
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)
