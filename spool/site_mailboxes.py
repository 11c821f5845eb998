"""The mailboxes of a site, for programs that work on one after the other with the rights of their users."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from spool.acting_as import acting_as, dotlock_groups
from spool.assign import AssignRecord
from spool.assign_directory import AssignDirectory
from spool.control_files import Domains
from spool.errors import NoSuchUserError
from spool.homes import locate_mailbox
from spool.mailbox import MailboxLocation
from spool.names import DomainName, UserName
from spool.settings import SpoolSettings
from spool.site import Site


@dataclass(frozen=True, slots=True)
class SiteMailboxes:
    """A site's mailboxes.

    Attributes:
        site: the site.
        settings: of its spool.
        uid_min: nobody below is acted for.
    """

    site: Site
    settings: SpoolSettings
    uid_min: int

    def chosen(
        self, users: Collection[UserName] = (), *, domain: DomainName | None = None
    ) -> Mapping[UserName, AssignRecord]:
        """Return the records of some users, or of all if none is named, and of these of a domain's only, if one is.

        Raises:
            NoSuchUserError: one of ``users`` is none.
            SpoolError: the directory of users or ``control/domains`` cannot be read.
        """
        records = dict(AssignDirectory(self.site.assign_compiled).users())
        for user in users:
            if user not in records:
                raise NoSuchUserError(f"no user {user}")
        domains = Domains(self.site.domains)
        return {user: records[user] for user in users or records if domain is None or domains.belongs(user, domain)}

    @contextlib.contextmanager
    def mailbox_of(self, user: UserName, record: AssignRecord) -> Iterator[MailboxLocation]:
        """Find a user's mailbox, and have that user's rights for the block.

        Raises:
            SpoolError: it is not available, or we may not act for the user.
        """
        groups = dotlock_groups(self.settings)
        with acting_as(record.uid, record.gid, groups=groups, uid_min=self.uid_min):
            yield locate_mailbox(user, uid=record.uid, gid=record.gid, home=record.home, settings=self.settings)
