"""Tests of ``serving.orders``."""

from __future__ import annotations

import socket

from serving.channel import Channel, Frame, socket_pair
from serving.orders import IDLE, serve_orders


def test_orders_are_served_one_after_another_over_their_own_sockets() -> None:
    ours, theirs = map(Channel, socket_pair())
    ends = [_ordered(ours, name) for name in ("joe", "ann")]
    idle: list[Frame | None] = []

    def serve(order: Frame, end: socket.socket) -> None:
        if order.text("user") == "ann":
            idle.append(ours.receive())
            ours.close()
        with end:
            end.sendall(order.text("user").encode())

    with theirs:
        assert serve_orders(theirs, serve) == 0
    assert idle == [IDLE]
    for end, said in zip(ends, (b"joe", b"ann"), strict=True):
        with end:
            assert end.recv(100) == said
            assert end.recv(100) == b""


def test_a_process_without_further_orders_ends_with_its_control_channel() -> None:
    ours, theirs = map(Channel, socket_pair())
    ours.close()
    with theirs:
        assert serve_orders(theirs, lambda _order, _end: None) == 0


def _ordered(control: Channel, user: str) -> socket.socket:
    """Order a service for a user; the end of whoever is served."""
    near, far = socket_pair()
    with far:
        control.send(Frame({"user": user}, descriptor=far.fileno()))
    return near
