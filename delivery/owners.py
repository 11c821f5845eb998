"""Who gets the bounces of a list: the sender of what an instruction file forwards (qmail-local; envelopes(5))."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from delivery.environment import Recipient
from delivery.search import safe_extension

DOUBLE_BOUNCE: Final = "#@[]"


def forwarding_sender(recipient: Recipient, sender: str | None, *, exists: Callable[[str], bool]) -> str | None:
    """Say as whom a user's forwards are sent.

    With a file ``.qmail…-owner`` beside the instructions it is ``LOCAL-owner@HOST``, and with ``.qmail…-owner-default``
    too it is ``LOCAL-owner-@HOST-@[]``, which the queue expands for each recipient (VERP). Bounces keep their sender.

    Args:
        recipient: the address that is being delivered.
        sender: the envelope sender, None for the null sender.
        exists: whether there is a file of this name in the home.
    """
    if sender is None or sender == DOUBLE_BOUNCE:
        return sender
    owner = f".qmail{recipient.dash}{safe_extension(recipient.extension)}-owner"
    if not exists(owner):
        return sender
    verp = exists(f"{owner}-default")
    return f"{recipient.local}-owner-@{recipient.domain}-@[]" if verp else f"{recipient.local}-owner@{recipient.domain}"
