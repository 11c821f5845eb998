"""The kinds of findings: what each means, and what repair does about it.

The names are for scripts, and stay. ``docs/reference/findings.md`` shows this table.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class Severity(enum.Enum):
    """What a finding asks for."""

    NOTE = "note"
    MENDABLE = "mendable"
    PERSON = "needs a person"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding.

    ``severity`` is that of most findings of the kind: a mendable one that nothing safe can be done about needs a person
    (``spool.checking.findings``).
    """

    name: str
    severity: Severity
    meaning: str
    repair: str


_NOTHING: Final = "nothing"


def _note(name: str, meaning: str) -> Kind:
    return Kind(name, Severity.NOTE, meaning, _NOTHING)


def _mendable(name: str, meaning: str, repair: str) -> Kind:
    return Kind(name, Severity.MENDABLE, meaning, repair)


def _for_person(name: str, meaning: str) -> Kind:
    return Kind(name, Severity.PERSON, meaning, _NOTHING)


# -- the site's files -------------------------------------------------------------------------------------------------

SECRET_EXPOSED: Final = _mendable(
    "secret-exposed",
    "others than its owner and group can read or change a file with secrets; consider them known",
    "takes the rights of others, and the group's to write",
)
SITE_WRITABLE: Final = _mendable(
    "site-writable",
    "others can change a file or directory of the site, and so whose mail goes where",
    "takes the right",
)
ASSIGN_UNREADABLE: Final = _for_person(
    "assign-unreadable", "control/assign cannot be read or has a wrong line: no user can be added or removed"
)
ASSIGN_STALE: Final = _mendable(
    "assign-stale",
    "assign.cdb does not say what assign says: deliveries and logins go by another state",
    "compiles assign",
)
USERS_UNKNOWN: Final = _note("users-unknown", "assign.cdb cannot be read, so no home was checked")
DOMAINS_UNKNOWN_USER: Final = _note("domains-unknown-user", "control/domains names somebody who is no user")
DOMAINS_UNKNOWN_DOMAIN: Final = _for_person(
    "domains-unknown-domain", "control/domains names a domain that is not in control/locals: no mail comes for it"
)

# -- assignments and homes --------------------------------------------------------------------------------------------

ROOT_MISSING: Final = _for_person(
    "root-missing", "the spool root is not there, perhaps not mounted; what lies below it was not looked at"
)
HOME_MISSING: Final = _for_person(
    "home-missing", "a user's home is not there: their mail waits with the sender; a disk may not be mounted"
)
HOME_STRANGE: Final = _for_person("home-strange", "a link or file stands where a home should be; it is not followed")
HOME_SHARED: Final = _note("home-shared", "two users have one home; each reads the other's mail in it")
HOME_IN_HOME: Final = _for_person(
    "home-in-home", "a home lies in the home of another user, as when a user is called like a hash directory"
)
HOME_UNASSIGNED: Final = _note("home-unassigned", "a home belongs to no user: a former user's, whose mail was kept")
PURGE_UNFINISHED: Final = _for_person(
    "purge-unfinished",
    "a purge was stopped halfway; what is left of the mail lies in .NAME.purged: purge the user again, or put it back",
)
LAYOUT_DIFFERS: Final = _note("layout-differs", "homes lie elsewhere than the present layout would put them")
OLD_LINK: Final = _mendable(
    "old-link", "a link at the old place of a home that was moved, though no rehash is under way", "removes the link"
)
STRAY_LINK: Final = _for_person("stray-link", "a link among the homes leads to no user's home")
STRAY_FILE: Final = _note("stray-file", "a file lies among the homes; nobody reads it")
HOME_LINK_MISSING: Final = _mendable(
    "home-link-missing", "the link that [spool] home_link asks for is not there", "makes the link"
)
HOME_LINK_ELSEWHERE: Final = _mendable(
    "home-link-elsewhere", "the link that [spool] home_link asks for leads elsewhere", "lets it lead to the home"
)
HOME_LINK_TAKEN: Final = _for_person("home-link-taken", "something else stands where [spool] home_link asks for a link")
ACCOUNT_DIFFERS: Final = _note(
    "account-differs", "getpw() tells another home or uid, so programs that ask it look for mail elsewhere"
)

# -- owners and modes -------------------------------------------------------------------------------------------------

OWNED_BY_ROOT: Final = _mendable(
    "owned-by-root",
    "something of the user's belongs to root: the user's processes cannot use it",
    "gives it to the user",
)
OWNED_BY_OTHER: Final = _for_person(
    "owned-by-other", "something of the user's belongs to another uid; whose mail it is cannot be told from here"
)
MODE_TOO_OPEN: Final = _mendable(
    "mode-too-open", "others can read or change mail, or what decides about it", "takes the rights of others"
)
MODE_TOO_NARROW: Final = _mendable(
    "mode-too-narrow", "its own user cannot use a directory, mailbox or file", "gives the owner's rights"
)
NOT_LOOKED_AT: Final = _for_person(
    "not-looked-at", "something could not be looked at, for want of rights or because of an error of the disk"
)

# -- mailboxes --------------------------------------------------------------------------------------------------------

MAILBOX_MISSING: Final = _mendable(
    "mailbox-missing",
    "no mailbox is where the templates say: mail waits, and nobody can read",
    "makes an empty Maildir",
)
MAILBOX_STRANGE: Final = _for_person(
    "mailbox-strange", "a link or something of another kind stands where a mailbox or a part of it should be"
)
SECOND_MAILBOX: Final = _for_person(
    "second-mailbox", "two mailboxes are in use; mail in the one that is not the first template's is never read"
)
SECOND_MAILBOX_EMPTY: Final = _note("second-mailbox-empty", "an empty mailbox lies behind the one that is read")
PART_MISSING: Final = _mendable("part-missing", "a Maildir lacks tmp, new or cur: nothing is delivered", "makes it")
STRANGE_ENTRY: Final = _for_person(
    "strange-entry", "a link, directory or pipe lies among the messages; nobody reads it"
)
STALE_TMP: Final = _mendable(
    "stale-tmp",
    "a broken delivery was left in tmp more than 36 hours ago; its sender has been told to try again",
    "puts it aside",
)
BASE_TWICE: Final = _note(
    "base-twice",
    "one unique name, and so one unique-id, in two places; the next session takes away the older name of one message, "
    "or gives one of two messages another",
)
SIZE_IN_NAME_WRONG: Final = _note(
    "size-in-name-wrong", "a message's name tells another size than it has; it is corrected when the message is read"
)
MAILDIRSIZE_DAMAGED: Final = _mendable(
    "maildirsize-damaged", "the quota file maildirsize is not what Maildir++ says", "puts it aside; it is made again"
)
NOT_AN_MBOX: Final = _for_person(
    "not-an-mbox", "the mailbox does not begin with a From_ line: nothing is delivered, and nobody can read"
)
MBOX_TORN: Final = _note("mbox-torn", "a crash left an unfinished end; the next delivery closes it off")
MBOX_NULS: Final = _note("mbox-nuls", "NULs within the mbox, as a crashed NFS client leaves them; mail may be lost")
JOURNAL_OPEN: Final = _note(
    "journal-open", "a removal from an mbox was interrupted; the next session or delivery completes it"
)
JOURNAL_FOREIGN: Final = _for_person(
    "journal-foreign",
    "an interrupted removal cannot be completed: another program has rewritten the mbox; compare journal and mbox",
)
STALE_LOCK: Final = _mendable(
    "stale-lock", "a dot-lock, or what a program made to get one, was left behind", "removes it"
)

# -- our own files ----------------------------------------------------------------------------------------------------

STATE_MISSING: Final = _mendable("state-missing", "a home has no directory .mailspool for our own files", "makes it")
STATE_STRANGE: Final = _for_person(
    "state-strange", "a link or something of another kind stands where our own files should be; no session is possible"
)
UNIQUE_IDS_FOREIGN: Final = _for_person(
    "unique-ids-foreign",
    "the file of unique-ids holds a line that we did not write: no session is possible until it is put right; "
    "without the file clients would fetch all mail again",
)
INDEX_DAMAGED: Final = _mendable(
    "index-damaged", "a disposable index holds what we did not write", "puts it aside; it is made again"
)
LEFTOVER: Final = _mendable(
    "leftover", "a file .NAME.RANDOM.new that a crash left behind, more than 36 hours ago", "puts it aside"
)

# -- file systems -----------------------------------------------------------------------------------------------------

NETWORK_FILE_SYSTEM: Final = _note(
    "network-file-system", "mail lies on a network file system; keep the dot-lock among the mbox locks"
)
OTHER_FILE_SYSTEM: Final = _note("other-file-system", "homes lie on another file system than the spool root")
DISK_NEARLY_FULL: Final = _for_person(
    "disk-nearly-full", "less than a twentieth of a file system's space or inodes is free"
)

KINDS: Final = tuple(value for value in dict(globals()).values() if isinstance(value, Kind))
"""Every kind, in the order above."""
