"""Where users come from: passwd text, LDIF exports and lists, each read into accounts by the same rules.

The rules are those of qmail-pw2u(8): what is no account for mail is skipped, and said so; what keeps us from telling is
an error, so that an outage never drops users.
"""

from spool.directory_sources.accounts import Account, Skipped, SkipReason
from spool.directory_sources.csv_list import read_csv
from spool.directory_sources.ldif import LdifAttributes, read_ldif
from spool.directory_sources.lists import (
    Additions,
    Subuser,
    read_appended,
    read_mail_names,
    read_names,
    read_subusers,
)
from spool.directory_sources.passwd_text import read_passwd
from spool.directory_sources.selection import HomeCheck, Selection, selected

__all__ = [
    "Account",
    "Additions",
    "HomeCheck",
    "LdifAttributes",
    "Selection",
    "SkipReason",
    "Skipped",
    "Subuser",
    "read_appended",
    "read_csv",
    "read_ldif",
    "read_mail_names",
    "read_names",
    "read_passwd",
    "read_subusers",
    "selected",
]
