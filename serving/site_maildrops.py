"""Maildrops of one site, opened by whoever may: this process where a user's uid is its own, else another."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from accounts.requests import Granted
from serving.maildrops import MaildropOpener, OpenMaildrop


class SiteMaildropOpener:
    """Leaves each user to whoever can become them.

    Args:
        local: for users of this process's uid.
        remote: for all others.
    """

    def __init__(self, local: MaildropOpener, remote: MaildropOpener) -> None:
        self._local = local
        self._remote = remote

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[OpenMaildrop]:
        """``serving.maildrops.MaildropOpener.open``. The authenticator seals a ticket only for another's uid."""
        opener = self._remote if granted.ticket else self._local
        return opener.open(granted, share=share)
