"""Signals as octets on a socket, for a loop that waits by ``select``."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from serving.channel import socket_pair


@contextmanager
def signals_as_octets(numbers: Iterable[signal.Signals]) -> Iterator[socket.socket]:
    """Have signals arrive on the socket that is returned, as octets with their numbers, for the time of the block."""
    reader, writer = socket_pair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        previous_wakeup = signal.set_wakeup_fd(writer.fileno())
        # The handlers do nothing: the octet on the socket is the news. The default action would end us.
        previous = {number: signal.signal(number, lambda *_: None) for number in numbers}
        try:
            yield reader
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_wakeup)
