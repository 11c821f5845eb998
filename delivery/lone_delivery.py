"""One delivery from an address to its end, by a process that is there for this alone and becomes the recipient.

The order matters: whose mail it is comes from ``assign.cdb``, then the process becomes that user for good, and only
then anything in their home is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from delivery.agent import DeliveryAgent
from delivery.engine import Report
from delivery.environment import Recipient
from delivery.messages import Message
from delivery.resolver import Account, AddressResolver


class LoneDelivery:
    """Delivers to an address, or says what would be done.

    Args:
        resolver: says who controls it.
        become: makes this process a recipient, for good; raises a SpoolError where it cannot.
        agent: delivers.
    """

    def __init__(self, resolver: AddressResolver, become: Callable[[Recipient], None], agent: DeliveryAgent) -> None:
        self._resolver = resolver
        self._become = become
        self._agent = agent

    def deliver(self, address: str, sender: str | None, message: Iterable[bytes]) -> Report:
        """Deliver a message to one address.

        Holds when it returns (``delivery.engine.deliver``).

        Args:
            address: a local part, or an address of a local domain.
            sender: the envelope sender, None for the null sender.
            message: the message as stored, with LF line ends; read to its end before anything is done with it.

        Raises:
            SpoolError: it was not delivered; its status says whether to try again.
        """
        account = self._become_owner(address)
        with contextlib.closing(Message.of(message)) as stored:
            return self._agent.deliver(account, sender, stored)

    def explain(self, address: str, sender: str | None) -> Iterator[str]:
        """Yield what would be done with a message, as text for a person.

        Raises:
            SpoolError: it would not be delivered.
        """
        yield from self._agent.explain(self._become_owner(address), sender)

    def _become_owner(self, address: str) -> Account:
        account = self._resolver.resolve(address)
        self._become(account.recipient)
        return account
