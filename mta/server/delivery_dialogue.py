"""What spawner, worker and delivery process say to each other about one delivery.

The spawner tells the process whose mail it is (``order_of``). The worker sends one request over the socket it was
given: ``{"do": "check"}``, or ``{"do": "deliver"}`` with the message as a descriptor, each with the ``sender``. The
process answers ``{"out_of_lane": true}`` when more than the disk has a part from now on: it has a slot for programs and
is about to run some, or it is about to forward. At last it answers
``{"done": true}`` or a failure (``serving.error_frames``). Any other answer is temporary trouble.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import delivery.errors
import serving.errors
import spool.errors
from delivery.environment import Recipient
from delivery.program_shares import ProgramShare
from delivery.resolver import Account
from serving.channel import ChannelError, Frame
from serving.error_frames import error_of, known_errors
from serving.orders import Order
from spool.errors import MailboxUnavailableError, SpoolError
from spool.names import UserName
from spool.quota.limits import Limit

OUT_OF_LANE: Final = Frame({"out_of_lane": True})
DONE: Final = Frame({"done": True})
_ERRORS: Final = known_errors(spool.errors, serving.errors, delivery.errors)


def order_of(account: Account) -> Order:
    """The spawner's order to serve a recipient."""
    to, limit = account.recipient, account.limit
    message = {
        "local": to.local,
        "domain": to.domain,
        "user": to.user.text,
        "uid": to.uid,
        "gid": to.gid,
        "home": str(to.home),
        "dash": to.dash,
        "extension": to.extension,
        "wildcard": account.wildcard,
        "limit": None if limit is None else [limit.octets, limit.messages],
        "programs": [account.programs.at_once, account.programs.seconds],
    }
    return Order(to.user, to.uid, to.gid, message, account.programs.at_once)


def account_of(order: Frame) -> Account:
    """The recipient of an order; it comes from the spawner and is right.

    Raises:
        ChannelError: it is none of ours.
    """
    recipient = Recipient(
        local=order.text("local"),
        domain=order.text("domain"),
        user=UserName(order.text("user")),
        uid=order.number("uid"),
        gid=order.number("gid"),
        home=Path(order.text("home")),
        dash=order.text("dash"),
        extension=order.text("extension"),
    )
    limit = order.message["limit"]
    return Account(
        recipient,
        order.message["wildcard"],
        None if limit is None else Limit(*limit),
        ProgramShare(*order.message["programs"]),
    )


def request(do: str, sender: str | None, descriptor: int | None = None) -> Frame:
    """A worker's request."""
    return Frame({"do": do, "sender": sender}, descriptor=descriptor)


def sender_of(asked: Frame) -> str | None:
    """The envelope sender of a request, None for the null sender.

    Raises:
        ChannelError: it names none.
    """
    return None if asked.message.get("sender") is None else asked.text("sender")


def outcome_of(answer: Frame) -> SpoolError | None:
    """What an answer says: None if it is done."""
    if answer.message == DONE.message:
        return None
    try:
        return error_of(answer, _ERRORS)
    except ChannelError:
        return MailboxUnavailableError("a delivery process talks nonsense")
