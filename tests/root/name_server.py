"""A DNS server with a few records, on UDP port 53 of an address of its own in 127.0.0.0/8."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from twisted.names import dns

PORT: Final = 53
SILENT: Final = "silent.example.org"  # asked for this name, the server does not answer in time

Record: TypeAlias = tuple[tuple[str, int], Any]
Records: TypeAlias = Mapping[tuple[str, int], Any]
"""Twisted's record for a name and a type."""


def pointer(address: str, name: str) -> Record:
    """What an address is called."""
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    return (reverse, dns.PTR), dns.Record_PTR(name)  # type: ignore[no-untyped-call]


def address_record(name: str, address: str) -> Record:
    """Which address a name has."""
    return (name, dns.A), dns.Record_A(address)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def name_server(address: str, records: Records) -> Iterator[None]:
    """Answer from ``records``, and that there is no such name for every other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, PORT))
        thread = threading.Thread(target=_serve, args=(server, records), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.sendto(b"", (address, PORT))  # to itself: the end
            thread.join(10)


def _serve(server: socket.socket, records: Records) -> None:
    while True:
        octets, client = server.recvfrom(4096)
        if not octets:
            return
        message = dns.Message()
        message.fromStr(octets)
        query = message.queries[0]
        name = query.name.name.decode().lower()
        if name == SILENT:
            continue
        record = records.get((name, query.type))
        message.answer, message.recAv = 1, 1
        if record is not None:
            message.answers = [dns.RRHeader(name, query.type, payload=record, ttl=0)]
        elif not any(known == name for known, _ in records):
            message.rCode = dns.ENAME
        server.sendto(message.toStr(), client)
