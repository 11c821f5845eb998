"""What the listeners' shared parts raise on purpose; all of it is temporary."""

from __future__ import annotations

from spool.errors import EnhancedStatus, SpoolError


class BulkheadFullError(SpoolError):
    """The user or the file system has too much blocking work out already; nothing was begun."""

    status = EnhancedStatus(4, 3, 2)
    public_text = "mailbox not available now, try again later"


class OperationTimedOutError(SpoolError):
    """Blocking work did not end in its time. It may still end later, so its effect is not known."""

    status = EnhancedStatus(4, 3, 2)
    public_text = "mailbox does not answer, try again later"


class LongerThanListedError(SpoolError):
    """A message is longer than its listed size said and does not fit in memory; it can still be streamed."""

    status = EnhancedStatus(4, 2, 0)
    public_text = "message is not as it was listed, try again later"
