"""A site of one user, joe, whose uid is ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from delivery.agent import DeliveryAgent, without_slot
from delivery.engine import Report, Run
from delivery.messages import Message
from delivery.plans import Plan
from delivery.resolver import Account, AddressResolver
from delivery.settings import DeliverySettings
from spool.assign import Assignment, AssignRecord, Wildcard, publish_assign
from spool.site import Site
from tests.unit.delivery.homes import TestHome

MESSAGE = b"Subject: hello\n\nbody\n"


class OneUser:
    """Programs run within ``slot`` if ``own_uid`` says that joe's uid is joe's alone, else where ``elsewhere`` says."""

    def __init__(self, home: TestHome, directory: Path) -> None:
        self.home = home
        self.site = Site(directory)
        self.own_uid = False
        self.slot: Callable[[Account], AbstractContextManager[None]] = without_slot
        self.may_begin: Callable[[Plan], None] = lambda _: None
        self.elsewhere: Callable[[Account], AbstractContextManager[Run]] | None = None
        self.site.control.mkdir(parents=True)
        self.site.locals.write_text("b.org\na.org\n")
        user = AssignRecord("joe", os.geteuid(), os.getegid(), home.path)
        extended = AssignRecord("joe", os.geteuid(), os.getegid(), home.path, dash="-")
        broken = AssignRecord("not a user", 1, 1, home.path)
        lines = (Assignment("joe", user), Wildcard("joe-", extended), Assignment("broken", broken))
        publish_assign(lines, self.site.assign_compiled)

    def resolver(self, settings: DeliverySettings | None = None) -> AddressResolver:
        return AddressResolver(self.site, self.home.settings, settings or DeliverySettings())

    def agent(self, settings: DeliverySettings | None = None) -> DeliveryAgent:
        return DeliveryAgent(
            self.site,
            self.home.settings,
            settings or DeliverySettings(),
            has_own_uid=lambda _: self.own_uid,
            program_slot=self.slot,
            programs_elsewhere=self.elsewhere,
            may_begin=self.may_begin,
        )

    def deliver(
        self, address: str = "joe", sender: str | None = "s@x", settings: DeliverySettings | None = None
    ) -> Report:
        """Deliver ``MESSAGE``."""
        with contextlib.closing(Message.of([MESSAGE])) as message:
            return self.agent(settings).deliver(self.resolver(settings).resolve(address), sender, message)
