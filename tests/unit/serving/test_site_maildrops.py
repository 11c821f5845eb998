"""Tests of ``serving.site_maildrops``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import Deferred

from accounts.requests import Granted
from serving.maildrops import OpenMaildrop
from serving.site_maildrops import SiteMaildropOpener
from spool.names import UserName


class Asked:
    """Opens nothing, and remembers for whom it was asked."""

    def __init__(self) -> None:
        self.openings: list[tuple[Granted, bool]] = []

    def open(self, granted: Granted, *, share: bool = False) -> Deferred[OpenMaildrop]:
        self.openings.append((granted, share))
        return Deferred()


def test_a_login_with_a_ticket_is_served_by_a_process_of_its_own_and_any_other_here() -> None:
    local, remote = Asked(), Asked()
    site = SiteMaildropOpener(local, remote)
    ours = Granted(UserName("fred"), 500, 500, Path("/h/fred"))
    another_s = replace(ours, uid=1000, ticket=b"sealed")
    site.open(ours)
    site.open(another_s, share=True)
    assert (local.openings, remote.openings) == ([(ours, False)], [(another_s, True)])
