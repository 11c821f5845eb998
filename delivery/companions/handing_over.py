"""Handing the message of an instruction line over to other addresses: ``forward``, ``condredirect``, ``autoreply``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from delivery.companions.statuses import variable
from delivery.forwarding import Forwarder
from delivery.messages import PIECE_OCTETS, Message
from delivery.next_hop import next_hop
from delivery.settings import DeliverySettings
from spool.settings_file import read_settings_file, table_to
from spool.site import DEFAULT_SITE, Site

SITE_VARIABLE: Final = "MAILSPOOL_SITE"


def hand_over(environment: Mapping[str, str], sender: str, recipients: Sequence[str]) -> None:
    """Hand the message over, the site's own Delivered-To before it, as a delivery does.

    Holds when it returns (``delivery.forwarding.Forwarder``).

    Args:
        environment: what ``delivery.environment`` says.
        sender: of the envelope; empty for the null sender.
        recipients: at least one address.

    Raises:
        MissingVariableError: we were not called from an instruction line.
        SpoolError: it was not taken over.
    """
    delivered_to = variable(environment, "DTLINE").encode("utf-8", "surrogateescape")
    _forwarder(environment).forward(Message.of(standard_input()), delivered_to, sender or None, recipients)


def send(environment: Mapping[str, str], message: bytes, recipient: str) -> None:
    """Hand a message of our own over, with the null sender.

    Raises:
        SpoolError: it was not taken over.
    """
    _forwarder(environment).forward(Message.of([message]), b"", None, (recipient,))


def standard_input() -> Iterator[bytes]:
    """Yield the message of the instruction line from its beginning."""
    os.lseek(0, 0, os.SEEK_SET)
    while piece := os.read(0, PIECE_OCTETS):
        yield piece


def _forwarder(environment: Mapping[str, str]) -> Forwarder:
    file = Site(Path(environment.get(SITE_VARIABLE) or DEFAULT_SITE)).settings_file
    table = read_settings_file(file).get("delivery", {})
    return next_hop(table_to(DeliverySettings, table, file=file, section="delivery"))
