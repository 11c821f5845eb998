"""Whether a site's files may decide whom a process of root's becomes."""

from __future__ import annotations

import os

from spool.errors import DirectoryUnavailableError
from spool.site import Site


def check_only_root_decides(site: Site) -> None:
    """See that nobody but root, or this process's user, can change who controls which address.

    Whoever can write ``assign.cdb``, or put another one in its place, can have mail delivered as anybody.

    Raises:
        DirectoryUnavailableError: somebody else can, or nobody can tell.
    """
    for path in (site.directory, site.control, site.assign_compiled):
        try:
            status = path.stat()
        except OSError as error:
            raise DirectoryUnavailableError(f"{path}: {error.strerror}") from error
        if status.st_uid not in {0, os.geteuid()}:
            raise DirectoryUnavailableError(f"{path}: belongs to uid {status.st_uid}, who could become any user by it")
        if status.st_mode & 0o022:
            raise DirectoryUnavailableError(f"{path}: mode {status.st_mode & 0o7777:04o} lets others write it")
