"""Orders: the spawner tells a process that has become a user whom it is to serve, over its control channel.

With each order goes a socket that leads to whoever is served. The process serves one order after another, and says
after each that it is idle. When the control channel closes it ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from serving.channel import Channel, ChannelError, Frame
from spool.names import UserName

IDLE: Final = Frame({"kind": "idle"})
"""What a process says when it has served; it is given the next order then, or killed."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whom a process is to serve; ``message`` is what it is told, beside the descriptor of a socket.

    ``programs`` is how many processes of the user may run programs at once.
    """

    user: UserName
    uid: int
    gid: int
    message: Mapping[str, Any]
    programs: int = 0


def serve_orders(control: Channel, serve: Callable[[Frame, socket.socket], None]) -> int:
    """Be such a process until the control channel closes; the exit status. Blocks.

    Args:
        control: leads to the spawner.
        serve: does what an order says, over the socket that came with it, which is its to close.
    """
    while (order := control.receive()) is not None:
        assert order.descriptor is not None, "the spawner sends a socket with each"
        serve(order, socket.socket(fileno=order.descriptor))
        try:
            control.send(IDLE)
        except ChannelError:
            break
    return 0
