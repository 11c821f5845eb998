"""The life of a delivery process: it has become one user, and delivers to that user, one message after another.

It blocks, and nobody minds: it is alone. Whose mail it is comes from the spawner over the control channel; a request,
with the message, comes from a worker over a socket of its own (``mta.server.delivery_dialogue``). It may be killed at
any moment: that is how a delivery ends that takes too long, and to the disk it is a crash like another.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TypeAlias

from delivery.agent import DeliveryAgent
from delivery.errors import ProgramDeferredError
from delivery.messages import Message
from delivery.plans import Plan
from delivery.resolver import Account
from mta.server.delivery_dialogue import DONE, OUT_OF_LANE, account_of, sender_of
from serving.channel import Channel, ChannelError, Frame
from serving.error_frames import error_frame
from serving.orders import serve_orders
from serving.program_admission import NoSlotError
from serving.program_slots import ask_for_slot, give_back
from spool.errors import SpoolError

ProgramSlot: TypeAlias = Callable[[Account], AbstractContextManager[None]]
MayBegin: TypeAlias = Callable[[Plan], None]
MakeAgent: TypeAlias = Callable[[ProgramSlot, MayBegin], DeliveryAgent]
"""Makes the delivery agent of this process; deliveries that run programs are to be held within the slot."""


def run_delivery_process(make_agent: MakeAgent, control: Channel) -> int:
    """Serve until the control channel closes."""

    def serve(order: Frame, end: socket.socket) -> None:
        with Channel(end) as worker:
            _Service(account_of(order), make_agent, control, worker).run()

    return serve_orders(control, serve)


class _Service:
    """What is done for one recipient, for one worker."""

    def __init__(self, account: Account, make_agent: MakeAgent, control: Channel, worker: Channel) -> None:
        self._account = account
        self._control = control
        self._worker = worker
        self._agent = make_agent(self._slot, self._may_begin)

    def run(self) -> None:
        """Answer one request, unless the worker has gone or talks nonsense."""
        with suppress(ChannelError):
            if (asked := self._worker.receive()) is None:
                return
            try:
                self._serve(asked)
            except SpoolError as error:
                self._worker.send(error_frame(error))
            else:
                self._worker.send(DONE)

    def _serve(self, asked: Frame) -> None:
        match asked.message.get("do"), asked.descriptor:
            case "check", None:
                self._agent.check(self._account, sender_of(asked))
            case "deliver", int(descriptor):
                with contextlib.closing(_message(descriptor)) as message:
                    self._agent.deliver(self._account, sender_of(asked), message)
            case _:
                asked.discard()
                raise ChannelError("unknown request")

    def _may_begin(self, plan: Plan) -> None:
        if plan.forwards:
            self._worker.send(OUT_OF_LANE)

    @contextlib.contextmanager
    def _slot(self, _: Account) -> Iterator[None]:
        """Hold a slot of the spawner's while programs run."""
        try:
            ask_for_slot(self._control)
        except (NoSlotError, ChannelError) as error:
            raise ProgramDeferredError(f"no program may start now: {error}") from error
        self._worker.send(OUT_OF_LANE)
        failed = False
        try:
            yield
        except ProgramDeferredError:
            failed = True
            raise
        finally:
            with suppress(ChannelError):
                give_back(self._control, failed=failed)


def _message(descriptor: int) -> Message:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ChannelError("not a message")
    return Message.in_file(descriptor)
