"""Converting the mailboxes of a site, one after the other."""

from __future__ import annotations

from spool.assign_directory import AssignDirectory
from spool.control_files import Domains
from spool.converting.options import Converted, ConvertOptions
from spool.converting.user_conversion import UserConversion
from spool.maintenance import maintenance
from spool.progress import Progress, counted
from spool.settings import SpoolSettings
from spool.site import Site


def convert_mailboxes(
    site: Site, settings: SpoolSettings, options: ConvertOptions, progress: Progress, *, uid_min: int
) -> Converted:
    """Convert mailboxes, or convert them back, or discard what is kept of them; each takes over late mail first.

    Mail arrives meanwhile, and sessions go on but in the mailbox that is being converted. It can be stopped at any
    moment and run again: messages keep their octets, order, dates, marks and unique-ids, none is lost, and none is
    there twice. Nobody whose uid is below ``uid_min`` is touched.

    Raises:
        MaintenanceBusyError: another operation works on the site.
        NoSuchUserError: one of the users asked for does not exist.
        SpoolError: the directory of users or a control file cannot be read.
    """
    directory = AssignDirectory(site.assign_compiled)
    domain, domains = options.domain, Domains(site.domains)
    with maintenance(site) as journals:
        if options.users is None:
            users = list(directory.users())
        else:
            users = [(user, directory.user(user)) for user in options.users]
        chosen = [
            (user, record)
            for user, record in users
            if domain is None or (of_user := domains.of(user)) is None or domain in of_user
        ]
        converted = [
            UserConversion(user, record, settings, options, journals, uid_min=uid_min).run()
            for user, record in counted(chosen, progress, "mailboxes", len(chosen))
        ]
    return Converted(tuple(converted))
