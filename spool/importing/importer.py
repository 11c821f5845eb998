"""Importing an old spool, user after user."""

from __future__ import annotations

from collections.abc import Callable

from spool.assign_directory import AssignDirectory
from spool.control_files import Domains
from spool.errors import MailboxUnavailableError, NoSuchUserError
from spool.importing.old_spool import OldSpool, find_old_mail
from spool.importing.options import Imported, ImportOptions
from spool.importing.user_import import UserImport
from spool.maintenance import maintenance
from spool.names import UserName
from spool.progress import Progress, counted
from spool.settings import SpoolSettings
from spool.site import Site


def import_spool(
    site: Site, settings: SpoolSettings, options: ImportOptions, progress: Progress, *, uid_min: int
) -> Imported:
    """Carry the mail of an old spool into the homes of its users.

    Mailboxes and old mboxes are in use meanwhile. It can be stopped at any moment and run again: no message is lost,
    and none is there twice. Mail that comes to the old spool later is carried by the next run. Nobody whose uid is
    below ``uid_min`` gets anything.

    Raises:
        MaintenanceBusyError: another operation works on the site.
        NoSuchUserError: one of the users asked for does not exist.
        SpoolError: the old spool, the directory of users or a control file cannot be read.
    """
    directory = AssignDirectory(site.assign_compiled)
    for user in options.users or ():
        directory.user(user)
    with maintenance(site) as journals:
        old = _find(directory, options)
        belongs = _membership(site, options)
        mail = [one for one in old.mail if belongs(one.user)]
        imported = [
            UserImport(one, directory.user(one.user), settings, options, journals, uid_min=uid_min).run()
            for one in counted(mail, progress, "mailboxes", len(mail))
        ]
    return Imported(tuple(imported), tuple(old.without_user), tuple(old.unknown))


def _find(directory: AssignDirectory, options: ImportOptions) -> OldSpool:
    for place in filter(None, (options.old_spool, options.drops)):
        if not place.is_dir():
            raise MailboxUnavailableError(f"{place}: no such directory")

    def is_user(name: UserName) -> bool:
        try:
            directory.user(name)
        except NoSuchUserError:
            return False
        return True

    return find_old_mail(
        options.old_spool,
        options.layout,
        is_user,
        users=options.users,
        excluded=options.excluded,
        drops=options.drops,
    )


def _membership(site: Site, options: ImportOptions) -> Callable[[UserName], bool]:
    domain, domains = options.domain, Domains(site.domains)
    if domain is None:
        return lambda _user: True

    def belongs(user: UserName) -> bool:
        of_user = domains.of(user)
        return of_user is None or domain in of_user

    return belongs
