"""Slots for users' programs, given by the spawner to the processes that run some: it is the one that all of them know.

A delivery process asks over its control channel before it follows the first line of instructions that run programs, a
program process before it runs the first one for a delivery. It is answered at once, and says when it is done
(``ask_for_slot`` and ``give_back`` are its side). One that ends or falls silent in between gives its slot back by that,
and its user's programs count as failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.channel import Channel, ChannelError, Frame
from serving.mail_processes import MailProcess
from serving.program_admission import NoSlotError, ProgramAdmission
from spool.names import UserName


@dataclass(frozen=True, slots=True)
class _Held:
    user: UserName
    since: float


class ProgramSlots:
    """Who holds a slot.

    Args:
        admission: says who may have one.
        clock: seconds that never go back.
    """

    def __init__(self, admission: ProgramAdmission, clock: Callable[[], float]) -> None:
        self._admission = admission
        self._clock = clock
        self._held: dict[MailProcess, _Held] = {}

    def asked(self, process: MailProcess, frame: Frame) -> None:
        """Take what a process says beside being idle.

        Raises:
            ChannelError: it talks nonsense, or does not read.
        """
        match frame.message:
            case {"kind": "take"} if process not in self._held:
                process.control.send_now(Frame({"refused": self._take(process)}))
            case {"kind": "give_back", "failed": bool(failed)} if process in self._held:
                self._end(process, failed=failed)
            case _:
                raise ChannelError("not what a process says")

    def freed(self, process: MailProcess) -> None:
        """A process serves nobody any more."""
        if process in self._held:
            self._end(process, failed=True)

    def _take(self, process: MailProcess) -> str | None:
        order = process.order
        try:
            self._admission.admit(order.user, order.programs)
        except NoSlotError as error:
            return str(error)
        self._held[process] = _Held(order.user, self._clock())
        return None

    def _end(self, process: MailProcess, *, failed: bool) -> None:
        held = self._held.pop(process)
        self._admission.ended(held.user, seconds=self._clock() - held.since, failed=failed)


def ask_for_slot(control: Channel) -> None:
    """Take a slot, as such a process; blocks until the spawner answers.

    Raises:
        NoSlotError: there is none for this user now.
        ChannelError: the spawner is gone.
    """
    control.send(Frame({"kind": "take"}))
    answer = control.receive()
    if answer is None:
        raise ChannelError("the spawner is gone")
    if (refused := answer.message.get("refused")) is not None:
        raise NoSlotError(str(refused))


def give_back(control: Channel, *, failed: bool) -> None:
    """Give the slot back, as such a process.

    Raises:
        ChannelError: the spawner is gone.
    """
    control.send(Frame({"kind": "give_back", "failed": failed}))
