"""Histories of a mailbox that is rehashed and converted: stopped, or with the power cut, and run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from spool.converting.converter import convert_mailboxes
from spool.converting.options import Action, ConvertOptions, Outcome
from spool.homes import locate_mailbox
from spool.mailbox import Mailbox, MailboxKind, MailboxLocation
from spool.names import UserName
from spool.progress import NoProgress
from spool.rehash.planning import Wanted
from spool.rehash.rehash import run
from tests.crash.losing import VARIANTS, cut_power
from tests.crash.stopping import run_in_child
from tests.model.histories import History
from tests.one_user import ENVELOPE, Message
from tests.rehash_sites import GID, UID, RehashSite

NAME = "kchinnen"
LAYOUTS = ("letter", "first-two", "letter4", "flat")
stops = st.none() | st.integers(1, 60)
variants = st.none() | st.integers(0, VARIANTS - 1)


@dataclass(frozen=True, slots=True)
class SiteUser:
    """A user of a site. Every method looks the mailbox up anew, as another process would."""

    site: RehashSite

    @property
    def location(self) -> MailboxLocation:
        home = self.site.record(NAME).home
        return locate_mailbox(UserName(NAME), uid=UID, gid=GID, home=home, settings=self.site.settings)

    @property
    def mailbox(self) -> Mailbox:
        return self.site.mailbox(NAME)

    def deliver(self, *messages: bytes) -> None:
        for message in messages:
            self.mailbox.deliver([message], ENVELOPE)

    def messages(self) -> list[Message]:
        return self.site.messages(NAME)


class SiteHistory(History):
    """What happens on a site that is reorganized; an operation that was stopped is run again some day."""

    user: SiteUser

    def __init__(self) -> None:
        super().__init__()
        self.stopped: Callable[[], None] | None = None

    def make_user(self, directory: Path) -> SiteUser:
        site = RehashSite(directory).make()
        site.add(NAME, "kchinne", "another")
        return SiteUser(site)

    @precondition(lambda self: self.stopped is None)
    @rule(layout=st.sampled_from(LAYOUTS), stop=stops, variant=variants)
    def rehash(self, layout: str, stop: int | None, variant: int | None) -> None:
        """Move the homes; a mailbox with a session stays where it is."""
        self._operate(partial(self._rehash, layout), stop, variant)

    @precondition(lambda self: self.stopped is None and self.maildrop is None)
    @rule(stop=stops, variant=variants)
    def convert(self, stop: int | None, variant: int | None) -> None:
        """Turn the mailbox into the other kind."""
        is_maildir = self.user.location.kind is MailboxKind.MAILDIR
        self._operate(partial(self._convert, Action.TO_MBOX if is_maildir else Action.TO_MAILDIR), stop, variant)

    @precondition(lambda self: self.stopped is not None and self.maildrop is None)
    @rule()
    def run_again(self) -> None:
        """Complete what was stopped."""
        stopped, self.stopped = self.stopped, None
        assert stopped is not None
        stopped()

    def _operate(self, operation: Callable[[], None], stop: int | None, variant: int | None) -> None:
        """Run an operation to its end, or stop it, or cut the power: not during a session, which would not survive."""
        if stop is None:
            operation()
        elif variant is None or self.maildrop is not None:
            self._note(operation, completed=run_in_child(lambda: operation, stop))
        else:
            root = self.user.site.directory
            self._note(operation, completed=cut_power(lambda: operation, stop, root=root, variant=variant))

    def _note(self, operation: Callable[[], None], *, completed: bool) -> None:
        self.stopped = None if completed else operation

    def _rehash(self, layout: str) -> None:
        site = self.user.site
        report = run(site.site, site.settings, Wanted(layout), site.means, NoProgress())
        assert not report.failed
        assert not report.obstacles
        assert self.maildrop is not None or not report.busy

    def _convert(self, action: Action) -> None:
        site = self.user.site
        options = ConvertOptions(action, users=(UserName(NAME),), grace_seconds=0)
        (user,) = convert_mailboxes(site.site, site.settings, options, NoProgress(), uid_min=0).users
        assert user.outcome in {Outcome.DONE, Outcome.NOTHING}, user


TestSiteHistory = SiteHistory.TestCase
TestSiteHistory.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
