"""What LMTP says when a delivery failed: the one place where errors become replies (RFC 5321 section 4.2.3)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from mta.smtp.replies import TRY_LATER, Reply
from spool.errors import SpoolError, StorageFullError

# By enhanced status (RFC 5248 section 2.4 has the registry); others are 451 and 550.
_CODES: Final[Mapping[str, int]] = {"4.2.2": 452, "4.7.1": 450, "4.3.1": 452, "5.2.2": 552, "5.1.3": 553}
_TEXT_MAX: Final = 400  # RFC 5321 section 4.5.3.1.5: 512 octets a line


def reply_of(error: SpoolError) -> Reply:
    """Make the reply for a recipient whose mail was not delivered: what the error says to strangers."""
    status = str(error.status)
    code = _CODES.get(status, 550 if error.status.permanent else 451)
    text = "".join(character if " " <= character <= "~" else "?" for character in error.public_text)
    return Reply(code, status, text[:_TEXT_MAX] or "refused")


def reply_where_not_stored(error: OSError | None) -> Reply:
    """Make the reply for a message that could not even be kept until it is delivered."""
    if error is not None and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return reply_of(StorageFullError())
    return TRY_LATER
