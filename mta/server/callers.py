"""Who may deliver to whom: over a UNIX socket the kernel tells as whom a client connected (SO_PEERCRED, unix(7)).

Root, the service itself and the accounts that the operator trusts, mail transports, deliver to anybody. Every other
account delivers to the addresses that ``assign.cdb`` gives to its own uid. Where all users share the service's uid that
is nobody's. The sender is not looked at: an account may write what it likes into its own mailbox, and Postfix's
local(8) delivers as the recipient.

Over TCP nobody can be told apart, and whoever can connect delivers to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from spool.errors import EnhancedStatus, MalformedNameError, NoSuchUserError, SpoolError

Permit: TypeAlias = Callable[[str], None]
"""Raises a SpoolError for an address that one client may not deliver to."""


class NotYoursError(SpoolError):
    """Somebody whom nobody trusts has mail for an address that is not theirs.

    It is temporary, so that no mail is returned where the operator forgot to trust the mail transport. And it is the
    same whether there is such an address or not.
    """

    status = EnhancedStatus(4, 7, 1)
    public_text = "this account may deliver to its own addresses only"


@dataclass(frozen=True, slots=True)
class Callers:
    """What clients may do.

    Attributes:
        trusted: the uids that deliver to anybody.
        owner_of: the uid of whoever controls an address; raises a SpoolError where nobody does, or nobody can tell.
    """

    trusted: frozenset[int]
    owner_of: Callable[[str], int]

    def permit(self, uid: int | None) -> Permit:
        """Say what a client may do who connected as this uid; None where that is not known."""
        if uid is None or uid in self.trusted:
            return _anybody
        return partial(self._own_only, uid)

    def _own_only(self, uid: int, address: str) -> None:
        try:
            owner = self.owner_of(address)
        except (NoSuchUserError, MalformedNameError) as error:
            raise NotYoursError(f"uid {uid} is not trusted: {error}") from error
        if owner != uid:
            raise NotYoursError(f"uid {uid} is not trusted, and the address is uid {owner}'s")


def _anybody(_: str) -> None:
    pass
