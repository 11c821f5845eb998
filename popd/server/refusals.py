"""What POP3 says when something was refused: the one place where reasons and errors become ``-ERR`` texts and codes.

A client re-asks its user for the password on a plain ``-ERR`` and on ``[AUTH]``, and keeps it on the other codes (RFC
2449 section 8.1.1, RFC 3206 section 4). So ``[AUTH]`` is said when the credentials were wrong and in no other case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from accounts.requests import RefusalReason
from popd.pop3.steps import Refusal, ResponseCode
from spool.errors import MailboxBusyError, SettingsError, SpoolError

LOGIN_REFUSALS: Final[Mapping[RefusalReason, Refusal]] = {
    RefusalReason.CREDENTIALS: Refusal("authentication failed", ResponseCode.AUTH),
    # Not [AUTH]: the password may be right, and asking for it again would only prolong the lock-out.
    RefusalReason.THROTTLED: Refusal("too many failed logins, try again later", ResponseCode.SYS_TEMP),
    # The credentials were right and the maildrop is in other sessions' hands: what [IN-USE] says.
    RefusalReason.TOO_MANY_SESSIONS: Refusal("too many sessions of this user", ResponseCode.IN_USE),
    RefusalReason.LOGIN_DELAY: Refusal("minimum time between logins not over", ResponseCode.LOGIN_DELAY),
    RefusalReason.TEMPORARY: Refusal("cannot check logins now, try again later", ResponseCode.SYS_TEMP),
    RefusalReason.PERMANENT: Refusal("this account cannot log in, ask the administrator", ResponseCode.SYS_PERM),
}

RPOP_DENIED: Final = Refusal("permission denied", ResponseCode.AUTH)
NAMES_UNAVAILABLE: Final = Refusal("cannot look up your host name now", ResponseCode.SYS_TEMP)
TOO_MANY_SUBMISSIONS: Final = Refusal("too many messages sent, try again later", ResponseCode.SYS_TEMP)
MESSAGE_REFUSED: Final = Refusal("the mail system refused the message")
SUBMISSION_TROUBLE: Final = Refusal("cannot send the message now, try again later", ResponseCode.SYS_TEMP)
INTERNAL_TROUBLE: Final = Refusal("mail system error", ResponseCode.SYS_TEMP)

_CODES_BY_ERROR: Final[Mapping[type[SpoolError], ResponseCode]] = {
    MailboxBusyError: ResponseCode.IN_USE,
    SettingsError: ResponseCode.SYS_PERM,
}


def refusal_of(error: SpoolError) -> Refusal:
    """Say what the peer may know about ``error``: its public text, and whether trying again is of use."""
    lasting = ResponseCode.SYS_PERM if error.status.permanent else ResponseCode.SYS_TEMP
    return Refusal(error.public_text, _CODES_BY_ERROR.get(type(error), lasting))
